"""Two interleaved half circles with noise."""

from __future__ import annotations

import math

import numpy as np

from flowpkg.problems.base import Box, PointProblem, curve_log_prob, legendre, require


class Moons(PointProblem):
    """Two half circles of radius one, equally likely, with normal noise.

        t ~ U(0, pi),  c = (cos t, sin t) or (1 - cos t, 1/2 - sin t),  x = c + noise * N(0, I)

    scikit-learn's `make_moons` places t on a regular grid; here t is random, so that points are independent.
    The density is the integral over both arcs by Gauss-Legendre quadrature.

    Args:
        noise: standard deviation of the noise; 0.05 as in most published examples.

    Raises:
        SettingsError: `noise` is not positive.
    """

    def __init__(self, noise: float = 0.05) -> None:
        require(noise > 0, "noise", "a number > 0", noise)
        self.noise = float(noise)

    def _arcs(self, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        upper = np.stack([np.cos(t), np.sin(t)], axis=-1)
        return upper, np.array([1.0, 0.5]) - upper

    def sample(self, n, rng):
        upper, lower = self._arcs(math.pi * rng.random(n))
        first = rng.random(n) < 0.5
        return np.where(first[:, None], upper, lower) + self.noise * rng.standard_normal((n, 2))

    def log_prob(self, x):
        # Nodes at most about half a noise apart in the middle of an arc, where Legendre nodes lie widest.
        nodes, weights = legendre(max(64, math.ceil(10.0 / self.noise)))
        curve = np.concatenate(self._arcs(math.pi * nodes))
        return curve_log_prob(np.asarray(x, float), curve, np.tile(weights, 2) / 2.0, self.noise)

    def bounds(self) -> Box:
        margin = 6.5 * self.noise
        return (-1.0 - margin, 2.0 + margin), (-0.5 - margin, 1.0 + margin)

    @property
    def smallest_scale(self) -> float:
        return self.noise
