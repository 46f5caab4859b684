"""Gaussian modes on a ring."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import logsumexp

from flowpkg.problems.base import Box, PointProblem, require


class Gmm(PointProblem):
    """Equal Gaussian modes at equal angles on a circle.

        p(x) = 1/modes sum_k N(x; radius (cos a_k, sin a_k), scale^2 I),  a_k = 2 pi k / modes

    Args:
        modes: number of modes; 8 as in the article.
        radius: radius of the circle; 1.4 as in the article.
        scale: standard deviation of a mode; 0.1 as in the article.

    Raises:
        SettingsError: a setting is out of range.
    """

    def __init__(self, modes: int = 8, radius: float = 1.4, scale: float = 0.1) -> None:
        require(modes >= 1, "modes", "an integer >= 1", modes)
        require(radius > 0, "radius", "a number > 0", radius)
        require(scale > 0, "scale", "a number > 0", scale)
        self.modes, self.radius, self.scale = int(modes), float(radius), float(scale)
        angle = 2.0 * math.pi * np.arange(self.modes) / self.modes
        self.centres = self.radius * np.stack([np.cos(angle), np.sin(angle)], axis=-1)

    def sample(self, n, rng):
        return self.centres[rng.integers(0, self.modes, n)] + self.scale * rng.standard_normal((n, 2))

    def log_prob(self, x):
        square = ((np.asarray(x, float)[:, None, :] - self.centres) ** 2).sum(axis=-1)
        norm = math.log(self.modes * 2.0 * math.pi * self.scale**2)
        return logsumexp(-0.5 * square / self.scale**2, axis=1) - norm

    def bounds(self) -> Box:
        reach = self.radius + 6.5 * self.scale
        return (-reach, reach), (-reach, reach)

    @property
    def smallest_scale(self) -> float:
        return self.scale
