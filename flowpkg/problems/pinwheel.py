"""Bent arms around a centre."""

from __future__ import annotations

import math

import numpy as np

from flowpkg.problems.base import Box, PointProblem, require


class Pinwheel(PointProblem):
    """Normal arms, each point turned by an angle that grows with its position along the arm.

        a ~ N(1, radial_scale^2),  b ~ N(0, tangential_scale^2),  x = R(2 pi k / arms + rate e^a) (a, b)

    Density by change of variables: for each arm all a that map to x are found by bisection, and
    |det dx/d(a, b)| = |1 - rate e^a b|.

    Args:
        arms: number of arms.
        radial_scale: standard deviation along an arm.
        tangential_scale: standard deviation across it.
        rate: how strongly arms bend.

    Raises:
        SettingsError: a setting is out of range.

    Source: Johnson et al. 2016, arXiv:1603.06277, section 5 (the data set `pinwheel`).
    """

    def __init__(
        self, arms: int = 5, radial_scale: float = 0.3, tangential_scale: float = 0.1, rate: float = 0.25
    ) -> None:
        require(arms >= 1, "arms", "an integer >= 1", arms)
        require(radial_scale > 0, "radial_scale", "a number > 0", radial_scale)
        require(tangential_scale > 0, "tangential_scale", "a number > 0", tangential_scale)
        self.arms, self.rate = int(arms), float(rate)
        self.radial_scale, self.tangential_scale = float(radial_scale), float(tangential_scale)

    def sample(self, n, rng):
        a = 1.0 + self.radial_scale * rng.standard_normal(n)
        b = self.tangential_scale * rng.standard_normal(n)
        angle = 2.0 * math.pi * rng.integers(0, self.arms, n) / self.arms + self.rate * np.exp(a)
        cos, sin = np.cos(angle), np.sin(angle)
        return np.stack([a * cos - b * sin, a * sin + b * cos], axis=-1)

    def log_prob(self, x):
        x = np.asarray(x, float)
        out = np.empty(len(x))
        for start in range(0, len(x), 8192):
            out[start : start + 8192] = self._log_prob(x[start : start + 8192])
        return out

    def _log_prob(self, x):
        radius, bearing = np.hypot(x[:, 0], x[:, 1]), np.arctan2(x[:, 1], x[:, 0])
        edges = np.linspace(1.0 - 7.5 * self.radial_scale, 1.0 + 7.5 * self.radial_scale, 200)
        density = np.zeros(len(x))
        for arm in range(self.arms):
            turned = bearing - 2.0 * math.pi * arm / self.arms

            def miss(a, rows=slice(None), turned=turned):
                return a - radius[rows] * np.cos(turned[rows] - self.rate * np.exp(a))

            values = np.stack([miss(edge) for edge in edges])
            bracket, rows = np.nonzero(np.signbit(values[:-1]) != np.signbit(values[1:]))
            low, high = edges[bracket], edges[bracket + 1]
            sign = np.signbit(values[bracket, rows])
            for _ in range(45):
                middle = 0.5 * (low + high)
                same = np.signbit(miss(middle, rows)) == sign
                low, high = np.where(same, middle, low), np.where(same, high, middle)
            a = 0.5 * (low + high)
            b = radius[rows] * np.sin(turned[rows] - self.rate * np.exp(a))
            log_density = -0.5 * ((a - 1.0) / self.radial_scale) ** 2 - 0.5 * (b / self.tangential_scale) ** 2
            log_density -= np.log(np.abs(1.0 - self.rate * np.exp(a) * b))
            density += np.bincount(rows, np.exp(log_density), minlength=len(x))
        norm = math.log(2.0 * math.pi * self.radial_scale * self.tangential_scale * self.arms)
        with np.errstate(divide="ignore"):
            return np.log(density) - norm

    def entropy_nats(self) -> float:
        points, area = self.grid()
        log_prob = self.log_prob(points)
        inside = np.isfinite(log_prob)
        return float(-np.sum(np.exp(log_prob[inside]) * log_prob[inside]) * area)

    def bounds(self) -> Box:
        reach = math.hypot(1.0 + 6.5 * self.radial_scale, 6.5 * self.tangential_scale)
        return (-reach, reach), (-reach, reach)

    def view(self) -> Box:
        reach = 1.0 + 3.5 * self.radial_scale
        return (-reach, reach), (-reach, reach)

    @property
    def smallest_scale(self) -> float:
        return 0.5 * self.tangential_scale
