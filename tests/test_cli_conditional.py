"""`flowpkg posterior` and `classify` by hand, and the runs of applications 4 and 5, tiny."""

import json

import numpy as np
import pandas as pd
import pytest

from flowpkg.applications import load_application
from flowpkg.cli import main
from flowpkg.commands.evaluate import MEASURED_KEYS, evaluate
from flowpkg.commands.prepare import prepare
from flowpkg.commands.train import train
from flowpkg.figures import PAGES
from flowpkg.settings import resolve
from tests.conftest import SMALL

TINY = {
    **SMALL,
    "evaluation": {
        **SMALL["evaluation"], "observations": 40, "posterior_samples": 50, "c2st_observations": 2, "draws": 4
    },
}  # fmt: skip
RUNS = {
    "modes": {
        "application": "mode_classification",
        "problem": {"name": "modes"},
        "flow": {"layers": 2, "hidden": [8], "mixing": "permutation"},
    },
    "arm": {
        "application": "parameter_estimation",
        "problem": {"name": "arm"},
        "flow": {"layers": 2, "hidden": [8], "coupling": "affine", "mixing": "orthogonal", "linear_start": True},
    },
    "certificate": {
        "application": "parameter_estimation",
        "problem": {"name": "linear_gaussian", "unknowns": 3, "data": 4},
        "flow": {"layers": 2, "hidden": [8], "kind": "conditional"},
    },
}


@pytest.fixture(scope="module", params=RUNS)
def run(request, tmp_path_factory):
    root = tmp_path_factory.mktemp(request.param)
    settings = resolve({**TINY, **RUNS[request.param]})
    prepare(settings, root / "data")
    train(settings, root / "data", root / "model", checkpoints=None)
    evaluate(settings, root / "data", root / "model", root / "evaluation")
    return request.param, root, settings


def fails(capsys, *arguments):
    assert main([str(argument) for argument in arguments]) == 2
    text = capsys.readouterr().err.strip()
    assert text.startswith(f"flowpkg {arguments[0]}: error: ") and "\n" not in text
    return text


def test_every_figure_draws_and_metrics_repeat(run, tmp_path):
    name, root, settings = run
    for figure in load_application(settings["application"]).figures(settings):
        out = tmp_path / f"{figure}.{'html' if figure in PAGES else 'png'}"
        draw = [
            "draw",
            "--settings",
            json.dumps(settings),
            "--figure",
            figure,
            "--evaluation",
            str(root / "evaluation"),
        ]
        assert main([*draw, "--model", str(root / "model"), "--out", str(out)]) == 0
        assert out.stat().st_size > 5000
    evaluate(settings, root / "data", root / "model", tmp_path / "again")
    first, second = (json.loads((f / "metrics.json").read_text()) for f in (root / "evaluation", tmp_path / "again"))
    assert {key for key in first if first[key] != second[key]} <= set(MEASURED_KEYS)
    assert all(np.isfinite(value) for value in first.values())


def test_metrics_are_explained(run):
    from workflow.scripts.write_config_readme import METRICS

    metrics = json.loads((run[1] / "evaluation/metrics.json").read_text())
    text = " ".join([*METRICS, *METRICS.values()])
    assert [key for key in metrics if f"`{key}`" not in text and key not in METRICS and not key.endswith("_se")] == []


def test_posterior_of_new_observations(run, tmp_path, capsys):
    name, root, _ = run
    model = root / "model"
    if name != "arm":
        return
    pd.DataFrame({"y1": [1.7, 9.0], "y2": [0.1, 0.0]}).to_csv(tmp_path / "obs.csv", index=False)
    arguments = ["posterior", "--model", str(model), "--observe", str(tmp_path / "obs.csv"), "-n", "30"]
    assert main([*arguments, "--out", str(tmp_path / "s.parquet")]) == 0
    warning = capsys.readouterr().err
    assert "row 2: far outside what was simulated" in warning and "row 1" not in warning
    samples, summary = pd.read_parquet(tmp_path / "s.parquet"), pd.read_parquet(tmp_path / "s_summary.parquet")
    assert list(samples) == ["observation", "x1", "x2", "x3", "x4"] and len(samples) == 60
    assert list(summary["parameter"]) == ["x1", "x2", "x3", "x4"] * 2
    assert summary["far_outside"].tolist() == [False] * 4 + [True] * 4
    np.testing.assert_allclose(summary["mean"][:4], samples.iloc[:30, 1:].mean(), rtol=1e-5)
    x = samples.iloc[:30, 1:].to_numpy()
    from flowpkg.problems import load_problem

    square = ((load_problem({"name": "arm"}).simulate(x) - [1.7, 0.1]) ** 2).sum(axis=1)
    assert summary["resimulation_rms"][0] == pytest.approx(np.sqrt(square.mean()), rel=1e-5)


def test_mistakes_on_observations_are_one_line(run, tmp_path, capsys):
    name, root, _ = run
    pd.DataFrame(np.ones((2, 9)), columns=list("abcdefghi")).to_csv(tmp_path / "wide.csv", index=False)
    pd.DataFrame({"y1": [1.0, np.nan], "y2": [1.0, 1.0]}).to_csv(tmp_path / "nan.csv", index=False)
    out = tmp_path / "out.csv"
    model = ("--model", root / "model", "--out", out)
    if name == "modes":
        assert "got labels" in fails(capsys, "posterior", *model, "--observe", tmp_path / "nan.csv")
        assert "expected --label" in fails(capsys, "sample", *model)
        assert "got 9 columns" in fails(capsys, "classify", *model, "--data", tmp_path / "wide.csv")
    else:
        assert "got 9 columns" in fails(capsys, "posterior", *model, "--observe", tmp_path / "wide.csv")
        assert "class labels as y" in fails(capsys, "classify", *model, "--data", tmp_path / "nan.csv")
    if name == "arm":
        assert "NaN or infinity in 1 of 2 rows: 2" in fails(
            capsys, "posterior", *model, "--observe", tmp_path / "nan.csv"
        )
        assert "-n >= 1" in fails(capsys, "posterior", *model, "--observe", tmp_path / "nan.csv", "-n", 0)
    assert not out.exists()


def test_classify_new_points(run, tmp_path, capsys):
    name, root, _ = run
    if name != "modes":
        return
    pd.DataFrame({"x1": [2.4, 60.0], "x2": [1.0, 60.0]}).to_csv(tmp_path / "x.csv", index=False)
    arguments = ["classify", "--model", str(root / "model"), "--data", str(tmp_path / "x.csv")]
    assert main([*arguments, "--out", str(tmp_path / "p.csv")]) == 0
    found = pd.read_csv(tmp_path / "p.csv")
    shares = found[[f"p_label_{k}" for k in range(4)]]
    np.testing.assert_allclose(shares.sum(axis=1), 1.0, atol=1e-9)
    assert found["unlike_training"].tolist() == [False, True]
    assert "priors: expected 4 positive numbers" in fails(
        capsys, *arguments, "--out", tmp_path / "q.csv", "--priors", "0.5", "0.5"
    )
    assert (
        main(["sample", "--model", str(root / "model"), "--label", "2", "-n", "5", "--out", str(tmp_path / "s.csv")])
        == 0
    )
    assert "label from 0 to 3" in fails(
        capsys, "sample", "--model", root / "model", "--label", "9", "--out", tmp_path / "s2.csv"
    )
