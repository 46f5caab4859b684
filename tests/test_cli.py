"""The command line, by hand: steps, new data, mistakes."""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from flowpkg.cli import main
from flowpkg.figures import FIGURES


def fails(capsys, *arguments):
    """Run a command that must fail; return its one line."""
    assert main([str(argument) for argument in arguments]) == 2
    text = capsys.readouterr().err.strip()
    assert text.startswith(f"flowpkg {arguments[0]}: error: ") and "\n" not in text
    return text


def test_metrics_and_arrays_repeat_to_the_byte(trained, run_settings, tmp_path):
    from flowpkg.commands.evaluate import MEASURED_KEYS, evaluate
    from flowpkg.commands.prepare import prepare
    from flowpkg.commands.train import train

    root, settings = trained
    prepare(settings, tmp_path / "data")
    train(settings, tmp_path / "data", tmp_path / "model", checkpoints=None)
    evaluate(settings, tmp_path / "data", tmp_path / "model", tmp_path / "evaluation")
    for name in ("data/train_x.npy", "model/weights.npz", "evaluation/arrays.npz"):
        assert (root / name).read_bytes() == (tmp_path / name).read_bytes(), name
    metrics = [json.loads((folder / "evaluation/metrics.json").read_text()) for folder in (root, tmp_path)]
    assert {key for key in metrics[0] if metrics[0][key] != metrics[1][key]} <= set(MEASURED_KEYS)
    assert not (root / "checkpoints").exists()


def test_sample_and_score(trained, tmp_path):
    root, _ = trained
    model = str(root / "model")
    for suffix in (".csv", ".parquet", ".npz"):
        assert main(["sample", "--model", model, "-n", "7", "--out", str(tmp_path / f"s{suffix}")]) == 0
        assert main(
            ["score", "--model", model, "--data", str(tmp_path / f"s{suffix}"), "--out", str(tmp_path / f"r{suffix}")]
        ) == 0  # fmt: skip
    scores = pd.read_csv(tmp_path / "r.csv")
    assert list(scores) == ["log_prob_nats", "training_percentile", "anomaly"] and len(scores) == 7
    pd.DataFrame({"x2": [50.0], "x1": [50.0]}).to_csv(tmp_path / "far.csv", index=False)
    main(["score", "--model", model, "--data", str(tmp_path / "far.csv"), "--out", str(tmp_path / "far_scores.csv")])
    assert pd.read_csv(tmp_path / "far_scores.csv")["anomaly"].all()


def test_score_finds_columns_by_name(trained, tmp_path):
    root, _ = trained
    for name, frame in (("a", {"x1": [0.1], "x2": [0.9]}), ("b", {"other": ["t"], "x2": [0.9], "x1": [0.1]})):
        pd.DataFrame(frame).to_csv(tmp_path / f"{name}.csv", index=False)
        main(["score", "--model", str(root / "model"), "--data", str(tmp_path / f"{name}.csv"), "--out", str(tmp_path / f"{name}_s.csv")])  # fmt: skip  # noqa: E501
    assert (tmp_path / "a_s.csv").read_text() == (tmp_path / "b_s.csv").read_text()


def test_mistakes_on_new_data_are_one_line(trained, tmp_path, capsys):
    root, _ = trained
    model, out = root / "model", tmp_path / "out.csv"
    out.write_text("earlier")
    pd.DataFrame(np.ones((3, 3)), columns=list("abc")).to_csv(tmp_path / "wide.csv", index=False)
    pd.DataFrame({"x1": [1.0, np.nan], "x2": [1.0, 1.0]}).to_csv(tmp_path / "nan.csv", index=False)
    pd.DataFrame({"x1": ["u"], "x2": [1.0]}).to_csv(tmp_path / "text.csv", index=False)
    score = ("score", "--model", model, "--out", out, "--data")
    assert "expected the model's 2 columns (x1, x2); got 3 columns" in fails(capsys, *score, tmp_path / "wide.csv")
    assert "NaN or infinity in 1 of 2 rows: 2" in fails(capsys, *score, tmp_path / "nan.csv")
    assert "column x1: expected numbers" in fails(capsys, *score, tmp_path / "text.csv")
    assert "no such file" in fails(capsys, *score, tmp_path / "none.csv")
    assert "ending in" in fails(capsys, "sample", "--model", model, "--out", tmp_path / "s.xls")
    assert "-n >= 1" in fails(capsys, "sample", "--model", model, "-n", "0", "--out", out)
    assert "no such file" in fails(capsys, "info", "--model", tmp_path / "nowhere")
    assert out.read_text() == "earlier"


def test_a_truncated_model_is_refused(trained, tmp_path, capsys):
    import shutil

    root, _ = trained
    shutil.copytree(root / "model", tmp_path / "model")
    path = tmp_path / "model" / "weights.npz"
    path.write_bytes(path.read_bytes()[:-50])
    assert "truncated, damaged" in fails(capsys, "info", "--model", tmp_path / "model")


def test_failed_steps_leave_earlier_results(trained, tmp_path, capsys, run_settings):
    root, settings = trained
    before = (root / "model/weights.npz").read_bytes()
    (root / "data_bad").mkdir()
    text = json.dumps(settings)
    line = fails(capsys, "train", "--settings", text, "--data", root / "data_bad", "--out", root / "model")
    assert "manifest.json" in line and (root / "model/weights.npz").read_bytes() == before
    few = run_settings(training={"batch_size": 5000})
    line = fails(capsys, "prepare", "--settings", json.dumps(few), "--out", root / "data")
    assert "expected at least one batch of 5000 rows" in line and (root / "data/train_x.npy").exists()
    assert "unknown key" in fails(capsys, "prepare", "--settings", '{"applicatoin": 1}', "--out", root / "data")


def test_every_point_figure_draws_repeats_and_carries_its_settings(trained, tmp_path):
    from flowpkg.applications.distribution_mapping import POINT_FIGURES

    root, settings = trained
    for figure in POINT_FIGURES:
        for attempt in "ab":
            out = [str(tmp_path / f"{figure}_{attempt}.{suffix}") for suffix in ("png", "pdf")]
            assert main(["draw", "--settings", json.dumps(settings), "--figure", figure, "--evaluation",
                         str(root / "evaluation"), "--model", str(root / "model"), "--out", *out]) == 0  # fmt: skip
        for suffix in ("png", "pdf"):
            first, second = ((tmp_path / f"{figure}_{attempt}.{suffix}").read_bytes() for attempt in "ab")
            assert first == second and len(first) > 5000
        assert b"settings_sha256=" in (tmp_path / f"{figure}_a.png").read_bytes()


def test_unknown_figure_and_suffix(trained, tmp_path, capsys):
    root, settings = trained
    draw = ("draw", "--settings", json.dumps(settings), "--evaluation", root / "evaluation", "--model", root / "model")
    assert "figure: expected one of data_and_latent" in fails(
        capsys, *draw, "--figure", "pie", "--out", tmp_path / "a.png"
    )
    assert "ending in .png or .pdf" in fails(capsys, *draw, "--figure", "density", "--out", tmp_path / "a.gif")


def test_drawing_and_preparing_import_no_tensorflow():
    modules = [f"flowpkg.figures.{name}" for name in FIGURES]
    modules += ["flowpkg.commands.draw", "flowpkg.commands.prepare", "flowpkg.applications.distribution_mapping"]
    code = f"import sys, importlib; [importlib.import_module(m) for m in {modules}]; "
    code += "print([m for m in ('tensorflow', 'sklearn', 'keras') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "command", [[], ["prepare"], ["train"], ["evaluate"], ["draw"], ["sample"], ["score"], ["info"]]
)
def test_help(command, capsys):
    with pytest.raises(SystemExit) as caught:
        main([*command, "--help"])
    assert caught.value.code == 0 and "usage: flowpkg" in capsys.readouterr().out
