"""A normal distribution bent along a parabola: not Gaussian, and its density has a closed form."""

from __future__ import annotations

import math

import numpy as np

from flowpkg.problems.base import Box, PointProblem, require


class Banana(PointProblem):
    """Twisted normal.

        x2 ~ N(0, scale^2),  x1 ~ N(curvature * x2^2, noise^2)

    The twist preserves volume, so the entropy is that of the two normals: log(2 pi e scale noise).

    Args:
        scale: standard deviation along the banana.
        curvature: coefficient of the parabola.
        noise: standard deviation across it.

    Raises:
        SettingsError: `scale` or `noise` is not positive.

    Source: Haario, Saksman & Tamminen 1999, Computational Statistics 14, 375-395, section 3.
    """

    def __init__(self, scale: float = 4.0, curvature: float = 0.25, noise: float = 1.0) -> None:
        require(scale > 0, "scale", "a number > 0", scale)
        require(noise > 0, "noise", "a number > 0", noise)
        self.scale, self.curvature, self.noise = float(scale), float(curvature), float(noise)

    def sample(self, n, rng):
        along = self.scale * rng.standard_normal(n)
        return np.stack([self.curvature * along**2 + self.noise * rng.standard_normal(n), along], axis=-1)

    def log_prob(self, x):
        x = np.asarray(x, float)
        across = (x[:, 0] - self.curvature * x[:, 1] ** 2) / self.noise
        return -0.5 * across**2 - 0.5 * (x[:, 1] / self.scale) ** 2 - math.log(2.0 * math.pi * self.scale * self.noise)

    def entropy_nats(self) -> float:
        return math.log(2.0 * math.pi * math.e * self.scale * self.noise)

    def _box(self, deviations: float) -> Box:
        reach = deviations * self.scale
        bend = self.curvature * reach**2
        margin = deviations * self.noise
        return (min(bend, 0.0) - margin, max(bend, 0.0) + margin), (-reach, reach)

    def bounds(self) -> Box:
        return self._box(6.5)

    def view(self) -> Box:
        return self._box(3.0)

    @property
    def smallest_scale(self) -> float:
        return self.noise / math.hypot(1.0, 2.0 * self.curvature * 6.5 * self.scale)
