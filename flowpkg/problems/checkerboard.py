"""Uniform on alternate squares of a board."""

from __future__ import annotations

import math

import numpy as np

from flowpkg.problems.base import Box, PointProblem, require


class Checkerboard(PointProblem):
    """Uniform on the squares (i, j) with i + j even of a board of `cells * cells` squares centred at zero.

    Args:
        cells: squares along each side; 4 as in Grathwohl et al. 2019, arXiv:1810.01367.
        size: side of a square.

    Raises:
        SettingsError: a setting is out of range.
    """

    def __init__(self, cells: int = 4, size: float = 2.0) -> None:
        require(cells >= 2, "cells", "an integer >= 2", cells)
        require(size > 0, "size", "a number > 0", size)
        self.cells, self.size = int(cells), float(size)
        index = np.stack(np.meshgrid(np.arange(self.cells), np.arange(self.cells)), axis=-1).reshape(-1, 2)
        self.squares = index[index.sum(axis=1) % 2 == 0]

    def sample(self, n, rng):
        corner = self.squares[rng.integers(0, len(self.squares), n)]
        return (corner + rng.random((n, 2)) - 0.5 * self.cells) * self.size

    def log_prob(self, x):
        index = np.floor(np.asarray(x, float) / self.size + 0.5 * self.cells)
        inside = np.all((index >= 0) & (index < self.cells), axis=1) & (index.sum(axis=1) % 2 == 0)
        return np.where(inside, -self.entropy_nats(), -np.inf)

    def entropy_nats(self) -> float:
        return math.log(len(self.squares) * self.size**2)

    def bounds(self) -> Box:
        reach = 0.5 * self.cells * self.size
        return (-reach, reach), (-reach, reach)

    def view(self) -> Box:
        reach = 0.55 * self.cells * self.size
        return (-reach, reach), (-reach, reach)

    @property
    def smallest_scale(self) -> float:
        return self.size / 10.0
