"""Images of the user's own: a tree of folders on disk or in a bucket."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from flowpkg.errors import DataError
from flowpkg.files import atomic_path
from flowpkg.problems.base import require
from flowpkg.problems.images.base import SPLITS, ImageProblem, split_rows
from flowpkg.problems.images.reading import MAX_PIXELS, MIN_SIDE, ImageReader, describe_skipped
from flowpkg.problems.images.trees import open_tree
from flowpkg.seeds import generator

VALIDATION = ("val", "valid", "validation")
SPLIT_FOLDERS = ("train", *VALIDATION, "test")


class Folder(ImageProblem):
    """JPEG, PNG and WebP images below a folder, resized, centre-cropped and decoded once.

    A class is the name of the folder below the root, `cat/a.jpg` or `cat/persian/a.jpg`; images in the root itself have
    the class `.`. Where the root has a folder `train`, it and `val` (or `valid`, `validation`) and `test` are splits and
    classes are one folder further down, `train/cat/a.jpg`; without `test`, `val` is what is held out and validation images
    are taken from `train`. Otherwise each class is cut at random, by the seed.

    `files.csv` says of every image file: its class, split, row in the split's array, and why it was skipped.

    Args:
        path: folder, or `s3://bucket/prefix`.
        size: side of the square images in pixels.
        channels: 3 for colour, 1 for grey.
        normal: classes modelled without labels; all that are not anomalies if neither `normal` nor `classes` is given.
        classes: classes modelled with labels as y.
        anomalies: classes that are kept out of training, whichever split they lie in.
        failed_fraction: largest share of files that may be skipped because they cannot be used.
        min_side: shortest side in pixels of a usable image.
        max_pixels: most pixels of a usable image.

    Raises:
        SettingsError: a setting is out of range, or a class has two roles.
        DataError: the folder is missing or cannot be reached, a class has no images, or too many files cannot be used.
    """

    def __init__(
        self,
        path: str,
        size: int = 32,
        channels: int = 3,
        normal=(),
        classes=(),
        anomalies=(),
        failed_fraction: float = 0.05,
        min_side: int = MIN_SIDE,
        max_pixels: int = MAX_PIXELS,
    ) -> None:
        require(size >= 2, "size", "a number >= 2", size)
        require(channels in (1, 3), "channels", "1 or 3", channels)
        require(0.0 <= failed_fraction <= 1.0, "failed_fraction", "a number from 0 to 1", failed_fraction)
        super().__init__(normal, classes, anomalies)
        self.path, self.failed_fraction = path, failed_fraction
        self.shape = (size, size, channels)
        self._limits = {"min_side": min_side, "max_pixels": max_pixels}

    def batches(self, seed: int, sizes: Mapping[str, Any]) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
        """Decode every file that has a role, split by split, and tell what was skipped."""
        tree = open_tree(self.path)
        listed = self._listed = _Listing(self, tree.names())
        rows_of = listed.split(seed, sizes)
        used = sum(len(rows) for rows in rows_of.values())
        reader = ImageReader(self.shape, self.step, **self._limits, most_skipped=int(self.failed_fraction * used))
        for split, rows in rows_of.items():
            # Files come back in the order in which they were asked for, less those that were skipped.
            left, count = iter(rows), 0
            for images, kept in reader.batches(tree, (listed.files[row] for row in rows)):
                found = [next(row for row in left if listed.files[row] == name) for name in kept]
                listed.place[found] = range(count, count + len(found))
                count += len(found)
                yield split, images, listed.position[found]
        listed.reasons = dict(reader.skipped)
        if reader.skipped:
            print(
                f"prepare: skipped {len(reader.skipped)} of {used} images: {describe_skipped(reader.skipped)}",
                file=sys.stderr,
            )
        if tree.ignored:
            print(f"prepare: {tree.ignored} files of {self.path} are not images by name; ignored", file=sys.stderr)

    def write_tables(self, folder: Path) -> None:
        """Write `files.csv`: file, class, split, row in the split's array (-1 for none), status and reason."""
        listed = self._listed
        with atomic_path(folder / "files.csv") as path, open(path, "w", encoding="utf-8", newline="") as handle:
            table = csv.writer(handle, lineterminator="\n")
            table.writerow(["file", "class", "split", "row", "status", "reason"])
            for row, name in enumerate(listed.files):
                split = SPLITS[listed.split_of[row]] if listed.split_of[row] >= 0 else ""
                reason = listed.reasons.get(name, "")
                status = "skipped" if reason else "used" if split else "not used"
                table.writerow([name, listed.classes[row], split, listed.place[row], status, reason])


class _Listing:
    """The files of a tree with their classes and splits; a few numbers each, since there may be millions.

    Attributes:
        files: names.
        classes: class of each file.
        position: position of its class among the classes or anomalies, -1 for none, `[n]`.
        split_of: position of its split in `SPLITS`, -1 for none, `[n]`.
        place: row in its split's array, -1 until it has been read, `[n]`.
        reasons: why a file was skipped.
    """

    def __init__(self, problem: Folder, files: list[str]) -> None:
        if not files:
            raise DataError(f"{problem.path}: expected JPEG, PNG or WebP images; got none")
        self.files, self.classes, folders = files, [], []
        named = any(name.startswith("train/") for name in files)
        for name in files:
            first, _, rest = name.partition("/")
            folder = first if named and rest and first in SPLIT_FOLDERS else ""
            below = rest if folder else name
            # One string for each class, not one for each file.
            self.classes.append(sys.intern(below.partition("/")[0] if "/" in below else "."))
            folders.append(sys.intern(folder))
        found = sorted(set(self.classes))
        normal, odd = problem.class_names, problem.anomaly_kinds
        for key, wanted in (("classes" if problem.y_names else "normal", normal), ("anomalies", odd)):
            for name in wanted:
                if name not in found:
                    raise DataError(
                        f"{problem.path}: problem.{key}: expected class folders among {', '.join(found)}; got {name}"
                    )
        normal = normal or [name for name in found if name not in odd]
        role = {name: k for k, name in enumerate(normal)} | {name: k for k, name in enumerate(odd)}
        self.position = np.array([role.get(name, -1) for name in self.classes], np.int32)
        codes = {name: k for k, name in enumerate(found)}
        self._class = np.array([codes[name] for name in self.classes], np.int32)
        self._odd = np.isin(self._class, [codes[name] for name in odd])
        names = ("", *SPLIT_FOLDERS)
        self._folder = np.array([names.index(folder) for folder in folders], np.int8)
        self.split_of = np.full(len(files), -1, np.int8)
        self.place = np.full(len(files), -1, np.int64)
        self.reasons: dict[str, str] = {}

    def split(self, seed: int, sizes: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """Set the split of every file that has a role, and return their rows in shuffled order."""
        normal = (self.position >= 0) & ~self._odd
        train, checked, test = (
            normal & np.isin(self._folder, [SPLIT_FOLDERS.index(name) + 1 for name in names])
            for names in (("train",), VALIDATION, ("test",))
        )
        shares = [sizes["validation_fraction"], sizes["test_fraction"]]
        fixed = {"validation": np.zeros_like(test), "test": np.zeros_like(test)}
        if train.any():
            fixed = {"validation": checked, "test": test} if test.any() else {**fixed, "test": checked}
            shares = [0.0 if fixed[name].any() else share for name, share in zip(fixed, shares)]
        rest = np.flatnonzero(normal & ~fixed["test"] & ~fixed["validation"])
        cut = split_rows(self._class[rest], seed, *shares)
        rng = generator(seed, "image folder order")
        rows = {name: rest[cut[name]] for name in SPLITS[:3]}
        for name, chosen in fixed.items():
            rows[name] = np.concatenate([rows[name], rng.permutation(np.flatnonzero(chosen))])
        rows["anomaly"] = rng.permutation(np.flatnonzero(self._odd))
        for code, name in enumerate(SPLITS):
            self.split_of[rows[name]] = code
        return rows
