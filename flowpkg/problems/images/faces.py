"""Drawn cats, dogs and balls, with the factors that made them as ground truth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from flowpkg.problems.base import require
from flowpkg.problems.images.ball import draw_balls
from flowpkg.problems.images.base import SPLITS, ImageProblem
from flowpkg.problems.images.canvas import Canvas, Factors
from flowpkg.problems.images.cat import draw_cats
from flowpkg.problems.images.dog import draw_dogs
from flowpkg.tables import write_table

BATCH = 256
DRAW = {"cat": draw_cats, "dog": draw_dogs, "ball": draw_balls}


def draw_faces(
    kind: str, size: int, seed: int, purpose: str, indices: Sequence[int]
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Draw pictures of one kind.

    Args:
        kind: `cat`, `dog` or `ball`.
        size: side in pixels.
        seed: the run's seed.
        purpose: name of the set, for example its split; each set has pictures of its own.
        indices: which pictures of the set; each is the same in whatever company it is drawn.

    Returns:
        Levels `[n, size, size, 3]`, and the factors of variation by name, `[n]` each: angles in degrees, places and
        sizes in units of half the picture, colours and patterns by name, `grain` in levels.

    Example:
        >>> images, factors = draw_faces("cat", 32, 1, "train", range(2))
        >>> images.shape, str(images.dtype), len(factors["fur"])
        ((2, 32, 32, 3), 'uint8', 2)
    """
    # Few enough at once that their fields stay in the processor's cache; 16 pictures of 32 x 32.
    at_once = max(1, 16 * 32 * 32 // size**2)
    blocks = [list(indices[start : start + at_once]) for start in range(0, len(indices), at_once)]
    drawn = [_draw_block(kind, size, seed, purpose, block) for block in blocks or [[]]]
    values = {name: np.concatenate([factors[name] for _, factors in drawn]) for name in drawn[0][1]}
    return np.concatenate([images for images, _ in drawn]), values


def _draw_block(
    kind: str, size: int, seed: int, purpose: str, indices: Sequence[int]
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    factors = Factors(seed, (purpose, kind), indices)
    canvas = Canvas(len(factors), size)
    DRAW[kind](canvas, factors)
    # A little sensor noise: flat colours would have no density, and photographs have none.
    grain = factors.grain(size, factors.uniform("grain", 1.0, 3.0))
    return canvas.levels(grain), factors.values


class Faces(ImageProblem):
    """Drawn animal faces at any size, the offline stand-in for photographs of cats.

    Pictures vary in pose (place, size, roll, yaw, pitch), shape, colour, pattern, expression, light and background;
    `factors.parquet` holds every factor of every picture.

    Args:
        size: side in pixels.
        normal: kinds modelled without labels; cats if neither `normal` nor `classes` is given.
        classes: kinds modelled with labels as y.
        anomalies: kinds that are kept out of training.

    Raises:
        SettingsError: an unknown kind, or a kind with two roles.
    """

    def __init__(self, size: int = 32, normal=(), classes=(), anomalies=()) -> None:
        require(size >= 8, "size", "a number >= 8", size)
        for key, kinds in (("normal", normal), ("classes", classes), ("anomalies", anomalies)):
            for kind in kinds:
                require(kind in DRAW, key, f"names among {', '.join(DRAW)}", kind)
        super().__init__(normal or (() if classes else ("cat",)), classes, anomalies)
        self.shape = (size, size, 3)
        self._factors: list[pd.DataFrame] = []

    def batches(self, seed: int, sizes: Mapping[str, Any]) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
        """Draw `sizes[split]` pictures for each split, kinds in turn, and `sizes["anomaly"]` of each anomalous kind."""
        self._factors = []
        for split in SPLITS:
            kinds = self.anomaly_kinds if split == "anomaly" else self.class_names
            count = sizes[split] * (len(kinds) if split == "anomaly" else 1)
            for start in range(0, count, BATCH):
                indices = np.arange(start, min(start + BATCH, count))
                positions = indices % len(kinds)
                images = np.empty((len(indices), *self.shape), np.uint8)
                for position, kind in enumerate(kinds):
                    rows = np.flatnonzero(positions == position)
                    if not rows.size:
                        continue
                    images[rows], values = draw_faces(kind, self.shape[0], seed, split, indices[rows])
                    frame = pd.DataFrame({"split": split, "index": indices[rows], "kind": kind, **values})
                    self._factors.append(frame)
                yield split, images, positions

    def write_tables(self, folder: Path) -> None:
        """Write `factors.parquet`: split, row in the split's array, kind, and every factor (missing where a kind has none)."""
        frame = pd.concat(self._factors, ignore_index=True)
        order = frame["split"].map({name: place for place, name in enumerate(SPLITS)})
        frame = frame.assign(order=order).sort_values(["order", "index"], ignore_index=True).drop(columns="order")
        write_table(folder / "factors.parquet", frame)
