"""Image problems: what is drawn, how it is cut, and what is written."""

import numpy as np
import pandas as pd
import pytest

from flowpkg.commands.data import read_data
from flowpkg.commands.prepare import prepare
from flowpkg.errors import DataError, SettingsError
from flowpkg.files import ArrayWriter, read_json
from flowpkg.problems import load_problem
from flowpkg.problems.images.ball import CORNERS
from flowpkg.problems.images.base import split_rows
from flowpkg.problems.images.canvas import Canvas
from flowpkg.problems.images.faces import DRAW, draw_faces
from flowpkg.settings import resolve


def settings(problem, **data):
    return resolve(
        {
            "application": "distribution_mapping",
            "problem": problem,
            "data": {"train": 40, "validation": 12, "test": 100, "anomaly": 6, **data},
            "training": {"batch_size": 16},
        }
    )


@pytest.mark.parametrize("kind", DRAW)
def test_a_face_is_the_same_in_any_company(kind):
    images, factors = draw_faces(kind, 16, 3, "train", range(10))
    alone, own = draw_faces(kind, 16, 3, "train", [7])
    np.testing.assert_array_equal(images[7], alone[0])
    assert all(own[name][0] == values[7] for name, values in factors.items())
    other_seed, _ = draw_faces(kind, 16, 4, "train", range(10))
    other_split, _ = draw_faces(kind, 16, 3, "test", range(10))
    assert (images != other_seed).any(axis=(1, 2, 3)).all() and (images != other_split).any(axis=(1, 2, 3)).all()


@pytest.mark.parametrize("kind", DRAW)
def test_a_face_looks_the_same_at_every_size(kind):
    # Means over 8 x 8 blocks of a picture drawn at 64 pixels against the same picture drawn at 8: edges only differ.
    large, small = (draw_faces(kind, size, 5, "train", range(6))[0].astype(float) for size in (64, 8))
    blocks = large.reshape(6, 8, 8, 8, 8, 3).mean(axis=(2, 4))
    assert np.abs(blocks - small).mean() < 6.0 and np.abs(large[0] - large[1]).mean() > 10.0


def test_shapes_are_drawn_where_they_are_said_to_be():
    canvas = Canvas(2, 64)
    frame = canvas.frame.moved(np.array([0.25, -0.25]), np.zeros(2), turn=np.full(2, np.pi / 2), scale=np.full(2, 0.5))
    canvas.paint(frame, frame.ellipse(0.0, 0.0, 1.0, 0.5), np.ones((2, 3)))
    levels = canvas.levels(np.zeros((2, 64, 64, 3)))[..., 0].astype(float) / 255.0
    rows, columns = np.mgrid[0:64, 0:64] * 2.0 / 64 + 1.0 / 64 - 1.0
    for picture, x in zip(levels, (0.25, -0.25)):
        # Half-axes 0.5 and 0.25 in halves of the picture, the long one upright after a quarter turn.
        assert picture.mean() * 4.0 == pytest.approx(np.pi * 0.5 * 0.25, rel=0.02)
        assert (picture * columns).sum() / picture.sum() == pytest.approx(x, abs=1e-3)
        assert np.sqrt((picture * rows**2).sum() / picture.sum()) == pytest.approx(0.25, rel=0.02)
    np.testing.assert_allclose(np.linalg.norm(CORNERS, axis=1), 1.0)


def test_triangle_and_stroke_cover_their_areas():
    canvas = Canvas(1, 128)
    for distance, area in (
        (canvas.frame.triangle([(-0.5, 0.5), (0.0, -0.5), (0.5, 0.5)]), 0.5),
        (canvas.frame.stroke((-0.5, -0.5), (0.5, 0.5), 0.1), 0.2 * np.sqrt(2.0) + np.pi * 0.01),
    ):
        canvas.fill(np.zeros((1, 3)))
        coverage = canvas.paint(canvas.frame, distance, np.ones((1, 3)))
        assert coverage.mean() * 4.0 == pytest.approx(area, rel=0.02)


def test_prepared_faces(tmp_path):
    run = settings({"name": "faces", "size": 16, "classes": ["cat", "dog"], "anomalies": ["ball"]})
    prepare(run, tmp_path / "a")
    prepare(run, tmp_path / "b")
    arrays, names, y_names = read_data(tmp_path / "a")
    assert names == [] and y_names == ["cat", "dog"]
    assert {name: array.shape for name, array in arrays.items()} == {
        "train_x": (40, 16, 16, 3), "validation_x": (12, 16, 16, 3), "test_x": (100, 16, 16, 3),
        "anomaly_x": (6, 16, 16, 3), "anomaly_kind": (6,),
        "train_y": (40, 2), "validation_y": (12, 2), "test_y": (100, 2),
    }  # fmt: skip
    assert isinstance(arrays["train_x"], np.memmap) and arrays["train_x"].dtype == np.uint8
    np.testing.assert_array_equal(arrays["train_y"].sum(axis=0), [20, 20])
    manifest = read_json(tmp_path / "a/manifest.json")
    assert manifest["image"] == {"shape": [16, 16, 3], "step": 1, "classes": ["cat", "dog"], "anomaly_kinds": ["ball"]}
    assert manifest["files"] == read_json(tmp_path / "b/manifest.json")["files"]
    factors = pd.read_parquet(tmp_path / "a/factors.parquet")
    row = factors[(factors["split"] == "test") & (factors["index"] == 31)].iloc[0]
    again, values = draw_faces(row["kind"], 16, run["seed"], "test", [31])
    np.testing.assert_array_equal(again[0], arrays["test_x"][31])
    assert row["kind"] == y_names[arrays["test_y"][31].argmax()] and row["yaw_deg"] == values["yaw_deg"][0]
    assert factors["yaw_deg"].notna().sum() == 152 and factors["turn_x_deg"].notna().sum() == 6


def test_prepared_digits(tmp_path):
    prepare(settings({"name": "digits", "anomalies": [7]}), tmp_path / "data")
    arrays, _, y_names = read_data(tmp_path / "data")
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    assert y_names == [] and "train_y" not in arrays
    assert len(arrays["anomaly_x"]) == (labels == 7).sum()
    known = np.concatenate([arrays[f"{name}_x"] for name in ("train", "validation", "test")])
    assert len(arrays["test_x"]) / len(known) == pytest.approx(0.3, abs=0.002)
    # Every image is there once, at 15 times its level.
    order = np.lexsort(known.reshape(len(known), -1).T)
    expected = (15 * images[labels != 7]).astype(np.uint8)
    np.testing.assert_array_equal(known.reshape(len(known), -1)[order], expected[np.lexsort(expected.T)])
    assert read_json(tmp_path / "data/manifest.json")["image"]["step"] == 15


def test_labelled_digits_keep_their_labels(tmp_path):
    prepare(settings({"name": "digits", "classes": list(range(10))}), tmp_path / "data")
    arrays, _, y_names = read_data(tmp_path / "data")
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    truth = {tuple(image): label for image, label in zip((15 * images).astype(np.uint8), labels)}
    found = [truth[tuple(image.ravel())] for image in arrays["test_x"]]
    np.testing.assert_array_equal(arrays["test_y"].argmax(axis=1), found)
    assert y_names == [str(digit) for digit in range(10)] and len(arrays["anomaly_kind"]) == 0


def test_splits_share_nothing_and_cut_every_class_alike():
    labels = np.repeat([0, 1, 2], [100, 40, 20])
    rows = split_rows(labels, 1, 0.15, 0.3)
    np.testing.assert_array_equal(np.sort(np.concatenate(list(rows.values()))), np.arange(160))
    assert [np.bincount(labels[rows[name]]).tolist() for name in ("test", "validation")] == [[30, 12, 6], [15, 6, 3]]
    assert not np.array_equal(rows["test"], split_rows(labels, 2, 0.15, 0.3)["test"])
    with pytest.raises(
        DataError, match="expected images left for training; got 2 held-out and 2 validation images of 4"
    ):
        split_rows(np.zeros(4, int), 1, 0.5, 0.5)


@pytest.mark.parametrize(
    ("problem", "message"),
    [
        ({"name": "faces", "normal": ["cow"]}, "problem.normal: expected names among cat, dog, ball; got cow"),
        ({"name": "faces", "size": 4}, "problem.size: expected a number >= 8; got 4"),
        ({"name": "faces", "normal": ["cat"], "classes": ["cat", "dog"]}, "expected normal .* or classes .*got both"),
        ({"name": "faces", "classes": ["cat"]}, "problem.classes: expected at least two classes; got cat"),
        ({"name": "faces", "anomalies": ["cat"]}, "problem.anomalies: expected names that are not normal; got cat"),
        ({"name": "digits", "classes": [1, 12]}, "problem.classes: expected digits from 0 to 9; got 12"),
    ],
)
def test_mistakes_are_named(problem, message):
    with pytest.raises(SettingsError, match=message):
        load_problem(problem)


def test_too_few_images_for_a_batch(tmp_path):
    with pytest.raises(DataError, match="expected at least one batch of 16 rows .*got 10 rows"):
        prepare(settings({"name": "faces", "size": 8}, train=10), tmp_path / "data")
    assert not (tmp_path / "data").exists()


def test_array_writer_gives_what_numpy_reads(tmp_path):
    rows = np.random.default_rng(0).integers(0, 256, (1234, 3, 2), np.uint8)
    writer = ArrayWriter(tmp_path / "a.npy", (3, 2), np.uint8)
    for part in np.array_split(rows, 7):
        writer.append(part)
    with pytest.raises(ValueError, match="expected uint8"):
        writer.append(rows.astype(float))
    writer.close()
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy", allow_pickle=False), rows)
    ArrayWriter(tmp_path / "none.npy", (3, 2), np.uint8).close()
    assert np.load(tmp_path / "none.npy").shape == (0, 3, 2)
