"""What all image problems share: roles of their classes, splits, and how they are written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from flowpkg.errors import DataError, SettingsError
from flowpkg.files import ArrayWriter, sha256_of
from flowpkg.seeds import generator

SPLITS = ("train", "validation", "test", "anomaly")


class ImageProblem:
    """Images `[n, height, width, channels]` of 8-bit levels, with classes and anomalies by name.

    Subclasses define `batches`, and set `shape` and, where levels are further than 1 apart, `step`.
    `classes` (their number) exists only where labels are y, because its presence marks a labelled problem.

    Args:
        normal: names of the classes modelled without labels.
        classes: names of the classes modelled with labels as y, in the order of y's columns; excludes `normal`.
        anomalies: names of classes that are kept out of training and measured as anomalies.

    Raises:
        SettingsError: a name has two roles, or a single class is labelled.
    """

    names: list[str] = []
    step = 1
    shape: tuple[int, int, int]

    def __init__(self, normal: Sequence[Any], classes: Sequence[Any], anomalies: Sequence[Any]) -> None:
        if normal and classes:
            raise SettingsError(
                f"problem: expected normal (without labels) or classes (with labels); got both, {list(normal)} and {list(classes)}"
            )
        if len(classes) == 1:
            raise SettingsError(f"problem.classes: expected at least two classes; got {classes[0]}")
        self.class_names = [str(name) for name in (classes or normal)]
        self.anomaly_kinds = [str(name) for name in anomalies]
        shared = [name for name in self.class_names if name in self.anomaly_kinds]
        if shared:
            raise SettingsError(
                f"problem.anomalies: expected names that are not {'classes' if classes else 'normal'}; got {', '.join(shared)}"
            )
        self.y_names = list(self.class_names) if classes else []
        if classes:
            self.classes = len(classes)

    @property
    def dim(self) -> int:
        """Number of pixels times channels."""
        return int(np.prod(self.shape))

    def batches(self, seed: int, sizes: Mapping[str, Any]) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
        """Yield (split, images `[b, height, width, channels]`, position of each image's class or kind `[b]`)."""
        raise TypeError(f"{type(self).__name__} does not define batches")

    def write_tables(self, folder: Path) -> None:
        """Write tables that describe the images one by one, after `batches` has run; none by default."""

    def write(self, folder: Path, seed: int, sizes: Mapping[str, Any]) -> dict[str, Any]:
        """Write `<split>_x.npy`, one-hot `<split>_y.npy` where classes are labelled, `anomaly_kind.npy` and tables.

        Images are appended as they come, so that memory does not grow with their number.

        Returns:
            `files` (shape and SHA-256 of each array) and `image` for the manifest.

        Raises:
            DataError: training, validation or held-out images are missing altogether.
        """
        marks: dict[str, list[np.ndarray]] = {name: [] for name in SPLITS}
        writers = {name: ArrayWriter(folder / f"{name}_x.npy", self.shape, np.uint8) for name in SPLITS}
        try:
            for split, images, positions in self.batches(seed, sizes):
                writers[split].append(images)
                marks[split].append(np.asarray(positions, np.int32))
        finally:
            for writer in writers.values():
                writer.close()
        empty = [name for name in SPLITS[:3] if not writers[name].count]
        if empty:
            counts = ", ".join(f"{writers[name].count} {name}" for name in SPLITS[:3])
            raise DataError(f"data: expected images for {' and '.join(empty)}; got {counts} images")
        positions = {name: np.concatenate([np.zeros(0, np.int32), *marks[name]]) for name in SPLITS}
        if self.y_names:
            one_hot = np.eye(len(self.y_names), dtype=np.float32)
            for name in SPLITS[:3]:
                np.save(folder / f"{name}_y.npy", one_hot[positions[name]], allow_pickle=False)
        np.save(folder / "anomaly_kind.npy", positions["anomaly"], allow_pickle=False)
        self.write_tables(folder)
        files = {
            path.name: {
                "shape": list(np.load(path, mmap_mode="r", allow_pickle=False).shape),
                "sha256": sha256_of(path),
            }
            for path in sorted(folder.glob("*.npy"))
        }
        image = {
            "shape": list(self.shape),
            "step": self.step,
            "classes": self.y_names,
            "anomaly_kinds": self.anomaly_kinds,
        }
        return {"files": files, "image": image}


def split_rows(
    labels: np.ndarray, seed: int, validation_fraction: float, test_fraction: float
) -> dict[str, np.ndarray]:
    """Return the rows of each split in shuffled order; each class is cut in the same shares.

    Args:
        labels: class of each row, `[n]`.
        seed: the run's seed.
        validation_fraction: share of each class for validation.
        test_fraction: share of each class that is held out.

    Raises:
        DataError: nothing would be left for training.
    """
    rng = generator(seed, "image splits")
    parts: dict[str, list[np.ndarray]] = {name: [] for name in SPLITS[:3]}
    for label in np.unique(labels):
        order = rng.permutation(np.flatnonzero(labels == label))
        held, checked = round(test_fraction * len(order)), round(validation_fraction * len(order))
        if held + checked >= len(order) > 0 and (held or checked):
            raise DataError(
                f"data: expected images left for training; got {held} held-out and {checked} validation images of "
                f"{len(order)} of class {label}"
            )
        for name, rows in zip(("test", "validation", "train"), np.split(order, [held, held + checked])):
            parts[name].append(rows)
    empty = np.zeros(0, np.int64)
    return {name: rng.permutation(np.concatenate([empty, *rows])) for name, rows in parts.items()}
