"""A correlated normal distribution."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from flowpkg.problems.base import Box, PointProblem, require


class Normal(PointProblem):
    """Bivariate normal distribution.

    Args:
        mean: both means.
        deviations: both standard deviations.
        correlation: correlation coefficient, between -1 and 1.

    Raises:
        SettingsError: a setting is out of range.
    """

    def __init__(
        self, mean: Sequence[float] = (0.0, 0.0), deviations: Sequence[float] = (1.0, 0.5), correlation: float = 0.8
    ) -> None:
        require(len(mean) == 2, "mean", "two numbers", mean)
        require(len(deviations) == 2 and min(deviations) > 0, "deviations", "two numbers > 0", deviations)
        require(-1 < correlation < 1, "correlation", "a number between -1 and 1", correlation)
        self.mean, self.deviations, self.correlation = (
            np.asarray(mean, float),
            np.asarray(deviations, float),
            correlation,
        )
        rest = math.sqrt(1.0 - correlation**2)
        self.factor = self.deviations[:, None] * np.array([[1.0, 0.0], [correlation, rest]])

    def sample(self, n, rng):
        return self.mean + rng.standard_normal((n, 2)) @ self.factor.T

    def log_prob(self, x):
        white = np.linalg.solve(self.factor, (np.asarray(x, float) - self.mean).T)
        return -0.5 * (white**2).sum(axis=0) - math.log(2.0 * math.pi) - math.log(np.linalg.det(self.factor))

    def entropy_nats(self) -> float:
        return math.log(2.0 * math.pi * math.e) + math.log(np.linalg.det(self.factor))

    def bounds(self) -> Box:
        low, high = self.mean - 6.5 * self.deviations, self.mean + 6.5 * self.deviations
        return (low[0], high[0]), (low[1], high[1])

    def view(self) -> Box:
        low, high = self.mean - 4.0 * self.deviations, self.mean + 4.0 * self.deviations
        return (low[0], high[0]), (low[1], high[1])

    @property
    def smallest_scale(self) -> float:
        return float(self.deviations.min() * math.sqrt(1.0 - self.correlation**2))
