"""Applications 2 and 3 from data to figures, tiny, and their models on new folders of images."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from flowpkg.applications import load_application
from flowpkg.cli import main
from flowpkg.commands.draw import draw
from flowpkg.commands.evaluate import MEASURED_KEYS, evaluate
from flowpkg.commands.prepare import prepare
from flowpkg.commands.train import train
from flowpkg.diagnostics.image_scores import SCORES
from flowpkg.files import read_arrays, read_json
from flowpkg.settings import resolve

SHARED = {
    "flow": {"name": "glow", "levels": 1, "steps_per_level": 1, "filters": 4, "coupling": "affine", "head_layers": 1,
             "whitening": 8, "sigma_y": 0.1},
    "training": {"steps": 4, "batch_size": 16, "validate_every": 2, "steps_per_call": 2, "latent_components": 8},
    "evaluation": {"bootstrap_replicates": 20, "feature_components": 8, "pca_components": 8, "temperatures": [0.7, 1.0]},
}  # fmt: skip
FACES = {
    "application": "image_generation",
    "problem": {"name": "faces", "size": 8, "anomalies": ["ball"]},
    "data": {"train": 60, "validation": 40, "test": 100, "anomaly": 20},
    **SHARED,
}
DIGITS = {
    "application": "image_classification",
    "problem": {"name": "digits", "classes": [0, 1, 2], "anomalies": [9]},
    **SHARED,
}


def carried_out(root, settings):
    settings = resolve(settings)
    prepare(settings, root / "data")
    train(settings, root / "data", root / "model", checkpoints=None)
    evaluate(settings, root / "data", root / "model", root / "evaluation")
    return root, settings


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    return carried_out(tmp_path_factory.mktemp("faces"), FACES)


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    return carried_out(tmp_path_factory.mktemp("digits"), DIGITS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, faces):
    """New images of several sizes and kinds, one of them broken."""
    path = tmp_path_factory.mktemp("new")
    (path / "deep").mkdir()
    images = np.load(faces[0] / "data/test_x.npy")
    for index in range(5):
        Image.fromarray(images[index]).resize((20, 16)).save(path / f"cat_{index}.png")
    Image.fromarray(np.full((9, 9), 255, np.uint8)).save(path / "deep" / "white.png")
    (path / "broken.jpg").write_bytes(b"not an image")
    return path


def test_generation_measures_what_the_issue_lists(faces):
    root, _ = faces
    metrics = read_json(root / "evaluation/metrics.json")
    assert set(metrics["bits_per_dim"]) == {"train", "validation", "test"}
    assert set(metrics["auroc"]) == set(metrics["auroc_best"]) == {"ball", "blurred"}
    assert set(SCORES) | {"typicality_5", "typicality_10", "pca_no_flow"} == set(metrics["auroc"]["ball"])
    for kind, value in metrics["auroc_best"].items():
        assert value == metrics["auroc"][kind]["combined"]
        assert metrics["auroc_low"][kind]["nll"] <= metrics["auroc"][kind]["nll"] <= metrics["auroc_high"][kind]["nll"]
    assert metrics["round_trip_max_abs"] < 1e-4 and metrics["nearest_neighbour_ratio"] > 0
    assert metrics["frechet_ratio"] == pytest.approx(
        metrics["frechet_distance"] / metrics["frechet_distance_halves"], rel=1e-9
    )
    scores = read_arrays(root / "model/training_scores.npz")
    assert metrics["bits_per_dim"]["train"] == float(scores["bits_per_dim_train"])


def test_evaluation_repeats_but_for_measured_times(faces, tmp_path):
    root, settings = faces
    evaluate(settings, root / "data", root / "model", tmp_path / "evaluation")
    first, second = (read_json(path / "evaluation/metrics.json") for path in (root, tmp_path))
    assert {key for key in first if first[key] != second[key]} <= set(MEASURED_KEYS)
    assert (root / "evaluation/arrays.npz").read_bytes() == (tmp_path / "evaluation/arrays.npz").read_bytes()


def test_classification_measures_what_the_issue_lists(digits):
    metrics = read_json(digits[0] / "evaluation/metrics.json")
    arrays = read_arrays(digits[0] / "evaluation/arrays.npz")
    assert arrays["confusion"].sum() == metrics["heldout_rows"]
    assert np.trace(arrays["confusion"]) / metrics["heldout_rows"] == pytest.approx(metrics["accuracy"])
    assert metrics["accuracy_svm"] > 0.97 and metrics["accuracy_logistic"] > 0.95
    assert metrics["nll_calibrated"] <= metrics["nll"] + 0.05 and metrics["label_temperature"] > 0
    assert set(metrics["auroc"]) == {"9", "blurred"} and "test" in metrics["bits_per_dim"]
    assert arrays["class_samples"].shape == (3, 10, 8, 8, 1) and arrays["transfer_images"].shape[1:] == (3, 8, 8, 1)
    # Levels of digits are 15 apart, in generated images too.
    assert (arrays["class_samples"] % 15 == 0).all()


@pytest.mark.parametrize("name", ["faces", "digits"])
def test_every_figure_draws_from_the_evaluation_alone(name, request, tmp_path):
    root, settings = request.getfixturevalue(name)
    for figure in load_application(settings["application"]).figures(settings):
        draw(settings, figure, root / "evaluation", root / "model", [tmp_path / f"{figure}.png"])
        assert (tmp_path / f"{figure}.png").stat().st_size > 5000, figure


def test_score_gives_each_file_a_row_and_warns_of_bad_ones(faces, folder, tmp_path, capsys):
    out = tmp_path / "scores.csv"
    assert main(["score", "--model", str(faces[0] / "model"), "--images", str(folder), "--out", str(out)]) == 0
    frame = pd.read_csv(out)
    assert sorted(frame["file"]) == [*(f"cat_{i}.png" for i in range(5)), "deep/white.png"]
    assert list(frame)[1:] == ["bits_per_dim", *SCORES, "training_percentile", "anomaly"]
    assert frame["training_percentile"].between(0, 100).all()
    # Nothing like a cat: one white area.
    assert frame.set_index("file").loc["deep/white.png", "anomaly"]
    text = capsys.readouterr().err
    assert "broken.jpg" in text and "1 files skipped, 6 images used" in text
    with Image.open(tmp_path / "scores_most_anomalous.png") as sheet:
        assert sheet.size[0] > 300
    other = tmp_path / "again.csv"
    main(["score", "--model", str(faces[0] / "model"), "--images", str(folder), "--out", str(other), "--score", "nll",
          "--percentile", "50", "--sheet", str(tmp_path / "s.png")])  # fmt: skip
    again = pd.read_csv(other)
    assert (again["nll"] == frame["nll"]).all() and (tmp_path / "s.png").exists()


def test_classify_gives_probabilities_of_each_file(digits, folder, tmp_path):
    out = tmp_path / "classes.csv"
    assert main(["classify", "--model", str(digits[0] / "model"), "--images", str(folder), "--out", str(out)]) == 0
    frame = pd.read_csv(out)
    probability = frame[[name for name in frame if name.startswith("p_")]]
    assert probability.shape == (6, 3) and np.allclose(probability.sum(axis=1), 1.0)
    assert [f"p_{name}" for name in frame["class"]] == list(probability.idxmax(axis=1))


def test_sample_writes_a_folder_a_grid_or_an_array(faces, digits, tmp_path):
    model = str(faces[0] / "model")
    assert main(["sample", "--model", model, "-n", "11", "--seed", "3", "--out", str(tmp_path / "many")]) == 0
    names = sorted(path.name for path in (tmp_path / "many").iterdir())
    assert names == ["grid.png", *(f"image_{i:02d}.png" for i in range(1, 12))]
    main(["sample", "--model", model, "-n", "11", "--seed", "3", "--out", str(tmp_path / "a.npz")])
    images = read_arrays(tmp_path / "a.npz")["images"]
    with Image.open(tmp_path / "many/image_04.png") as stored:
        assert np.array_equal(np.asarray(stored), images[3])
    main(["sample", "--model", model, "-n", "11", "--seed", "3", "--pca", "--components", "3", "--covariance-scale", "0.5",
          "--out", str(tmp_path / "pca.npz")])  # fmt: skip
    pca = read_arrays(tmp_path / "pca.npz")["images"]
    assert pca.shape == images.shape and not np.array_equal(pca, images)
    main(["sample", "--model", str(digits[0] / "model"), "-n", "4", "--label", "2", "--out", str(tmp_path / "g.png")])
    with Image.open(tmp_path / "g.png") as grid:
        assert grid.size == (2 * 96 + 12, 2 * 96 + 12)


def test_mistakes_are_one_line(faces, digits, folder, tmp_path, capsys):
    model, labelled = str(faces[0] / "model"), str(digits[0] / "model")
    (tmp_path / "empty").mkdir()
    pd.DataFrame({"a": [1.0]}).to_csv(tmp_path / "t.csv", index=False)
    out = ["--out", str(tmp_path / "o.csv")]
    cases = {
        "expected either --data or --images; got none": ["score", "--model", model, *out],
        "expected a model of a table": ["score", "--model", model, "--data", str(tmp_path / "t.csv"), *out],
        "expected --score nll": ["score", "--model", model, "--images", str(folder), "--score", "x", *out],
        "expected --label from 0 to 2; got 7": ["sample", "--model", labelled, "--label", "7", *out],
        "a file ending in .png or .npz; got .csv": ["sample", "--model", model, *out],
        "expected --pca with": ["sample", "--model", model, "--components", "3", "--out", str(tmp_path / "x")],
        "from 1 to 8; got 99": [
            "sample",
            "--model",
            model,
            "--pca",
            "--components",
            "99",
            "--out",
            str(tmp_path / "x"),
        ],
        "class labels as y": ["classify", "--model", model, "--images", str(folder), *out],
        str(tmp_path / "empty"): ["score", "--model", model, "--images", str(tmp_path / "empty"), *out],
    }
    for message, command in cases.items():
        assert main(command) == 2, command
        text = capsys.readouterr().err.strip().splitlines()[-1]
        assert text.startswith(f"flowpkg {command[0]}: error: ") and message in text, text
    assert not (tmp_path / "o.csv").exists() and not (tmp_path / "x").exists()
