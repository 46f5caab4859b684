"""Images of the user's own: a tree of folders on disk or in a bucket."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from flowpkg.errors import DataError
from flowpkg.problems.base import require
from flowpkg.problems.images.base import SPLITS, ImageProblem, split_rows
from flowpkg.problems.images.reading import MAX_PIXELS, MIN_SIDE, ImageReader, describe_skipped
from flowpkg.problems.images.trees import open_tree
from flowpkg.seeds import generator
from flowpkg.tables import write_table

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
        self._table = pd.DataFrame()

    def batches(self, seed: int, sizes: Mapping[str, Any]) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
        """Decode every file that has a role, split by split, and tell what was skipped."""
        tree = open_tree(self.path)
        files = tree.names()
        table = self._listed(files)
        rows_of = self._split(table, seed, sizes)
        used = sum(len(rows) for rows in rows_of.values())
        reader = ImageReader(self.shape, self.step, **self._limits, most_skipped=int(self.failed_fraction * used))
        position = table["position"].to_numpy()
        row_of_name = {name: row for row, name in enumerate(files)}
        for split, rows in rows_of.items():
            count = 0
            for images, kept in reader.batches(tree, (files[row] for row in rows)):
                found = [row_of_name[name] for name in kept]
                table.loc[found, "row"] = range(count, count + len(found))
                table.loc[found, "status"] = "used"
                count += len(found)
                yield split, images, position[found]
        for name, why in reader.skipped:
            table.loc[row_of_name[name], ["status", "reason"]] = ["skipped", why]
        self._table = table
        if reader.skipped:
            print(
                f"prepare: skipped {len(reader.skipped)} of {used} images: {describe_skipped(reader.skipped)}",
                file=sys.stderr,
            )
        if tree.ignored:
            print(f"prepare: {tree.ignored} files of {self.path} are not images by name; ignored", file=sys.stderr)

    def _listed(self, names: list[str]) -> pd.DataFrame:
        """Return a row for each file: its class, the split that its folder names, and the position of its class."""
        if not names:
            raise DataError(f"{self.path}: expected JPEG, PNG or WebP images; got none")
        named = any(name.startswith("train/") for name in names)
        folders, classes = [], []
        for name in names:
            first, _, rest = name.partition("/")
            folder = first if named and rest and first in SPLIT_FOLDERS else ""
            below = rest if folder else name
            # One string for each class, not one for each file.
            classes.append(sys.intern(below.partition("/")[0] if "/" in below else "."))
            folders.append(sys.intern(folder))
        found = sorted(set(classes))
        for key, wanted in (
            ("classes" if self.y_names else "normal", self.class_names),
            ("anomalies", self.anomaly_kinds),
        ):
            for name in wanted:
                if name not in found:
                    raise DataError(
                        f"{self.path}: problem.{key}: expected class folders among {', '.join(found)}; got {name}"
                    )
        normal = self.class_names or [name for name in found if name not in self.anomaly_kinds]
        place = {name: k for k, name in enumerate(normal)} | {name: k for k, name in enumerate(self.anomaly_kinds)}
        return pd.DataFrame(
            {
                "file": names,
                "class": classes,
                "split": folders,
                "row": -1,
                "status": "not used",
                "reason": "",
                "position": [place.get(name, -1) for name in classes],
                "anomaly": [name in self.anomaly_kinds for name in classes],
            }
        )

    def _split(self, table: pd.DataFrame, seed: int, sizes: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """Set the split of every row that has a role, and return their rows in shuffled order."""
        folder, place = table["split"].to_numpy(), table["position"].to_numpy()
        odd = table["anomaly"].to_numpy()
        normal = (place >= 0) & ~odd
        shares = [sizes["validation_fraction"], sizes["test_fraction"]]
        fixed = {"test": np.zeros(len(table), bool), "validation": np.zeros(len(table), bool)}
        if (folder == "train").any():
            checked = np.isin(folder, VALIDATION)
            fixed["test" if not (normal & (folder == "test")).any() else "validation"] = normal & checked
            fixed["test"] |= normal & (folder == "test")
            shares = [0.0 if fixed[name].any() else share for name, share in zip(("validation", "test"), shares)]
        rest = np.flatnonzero(normal & ~fixed["test"] & ~fixed["validation"])
        cut = split_rows(table["class"].to_numpy()[rest], seed, *shares)
        rng = generator(seed, "image folder order")
        rows = {name: rest[cut[name]] for name in SPLITS[:3]}
        for name, chosen in fixed.items():
            rows[name] = np.concatenate([rows[name], rng.permutation(np.flatnonzero(chosen))])
        rows["anomaly"] = rng.permutation(np.flatnonzero(odd))
        table["split"] = ""
        for name, chosen in rows.items():
            table.loc[chosen, "split"] = name
        return rows

    def write_tables(self, folder: Path) -> None:
        """Write `files.csv`: file, class, split, row in the split's array (-1 for none), status and reason."""
        write_table(folder / "files.csv", self._table[["file", "class", "split", "row", "status", "reason"]])
