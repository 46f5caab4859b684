"""Two intertwined spirals with noise."""

from __future__ import annotations

import math

import numpy as np

from flowpkg.problems.base import Box, PointProblem, curve_log_prob, legendre, require


class TwoSpirals(PointProblem):
    """Two Archimedean spirals, one the mirror image of the other through the origin, with normal noise.

        a = 2 pi turns sqrt(u),  u ~ U(0, 1),  c = +-(-a cos a, a sin a) / 3,  x = c + noise * N(0, I)

    The square root spreads points evenly along the arms. Density by quadrature along both.

    Args:
        turns: turns of each spiral; 1.5 as in Grathwohl et al. 2019, arXiv:1810.01367.
        noise: standard deviation of the noise; 0.1 as there.

    Raises:
        SettingsError: a setting is not positive.
    """

    def __init__(self, turns: float = 1.5, noise: float = 0.1) -> None:
        require(turns > 0, "turns", "a number > 0", turns)
        require(noise > 0, "noise", "a number > 0", noise)
        self.turns, self.noise = float(turns), float(noise)

    def _arm(self, root: np.ndarray) -> np.ndarray:
        angle = 2.0 * math.pi * self.turns * root
        return np.stack([-angle * np.cos(angle), angle * np.sin(angle)], axis=-1) / 3.0

    def sample(self, n, rng):
        sign = rng.choice([-1.0, 1.0], n)[:, None]
        return sign * self._arm(np.sqrt(rng.random(n))) + self.noise * rng.standard_normal((n, 2))

    def log_prob(self, x):
        reach = 2.0 * math.pi * self.turns
        length = reach * math.hypot(1.0, reach) / 3.0
        # Quadrature over s = sqrt(u), whose density is 2 s: smooth at the centre, where sqrt is not.
        nodes, weights = legendre(max(64, math.ceil(2.5 * length / self.noise)))
        arm = self._arm(nodes)
        curve, weight = np.concatenate([arm, -arm]), np.tile(weights * nodes, 2)
        return curve_log_prob(np.asarray(x, float), curve, weight, self.noise)

    def bounds(self) -> Box:
        reach = 2.0 * math.pi * self.turns / 3.0 + 6.5 * self.noise
        return (-reach, reach), (-reach, reach)

    @property
    def smallest_scale(self) -> float:
        return self.noise
