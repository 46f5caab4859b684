"""Inverse kinematics of a planar arm."""

from __future__ import annotations

import numpy as np

from flowpkg.problems.base import require


class Arm:
    """A robot arm of three segments on a vertical rail; which postures put its end at a given point?

        x ~ N(0, diag(deviations)^2),   a = x2, b = x2 + x3, c = x2 + x3 + x4
        y1 =      l1 cos a + l2 cos b + l3 cos c
        y2 = x1 + l1 sin a + l2 sin b + l3 sin c

    Args:
        lengths: of the three segments.
        deviations: prior standard deviations of the rail height x1 and the joint angles x2, x3, x4 in rad.

    Source: Ardizzone et al. 2019, arXiv:1808.04730, section 4.1; Kruse et al. 2021, arXiv:2101.10763.
    """

    dim = 4
    noise_free = True
    names = ["x1", "x2", "x3", "x4"]
    y_names = ["y1", "y2"]
    # The paper's point of low density, one near the mode, and two that ask for a bent arm.
    demonstration = np.array([[1.5, 0.0], [1.9, 0.3], [1.2, 0.9], [1.7, -0.8]])

    def __init__(self, lengths=(0.5, 0.5, 1.0), deviations=(0.25, 0.5, 0.5, 0.5)) -> None:
        require(len(lengths) == 3, "lengths", "three numbers", lengths)
        require(len(deviations) == 4, "deviations", "four numbers", deviations)
        self.lengths = np.asarray(lengths, np.float64)
        self.deviations = np.asarray(deviations, np.float64)

    @property
    def prior_variance(self) -> np.ndarray:
        """Prior variance of each parameter, `[4]`."""
        return self.deviations**2

    def sample(self, n: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Draw x `[n, 4]` from the prior and simulate y `[n, 2]`."""
        x = self.deviations * rng.standard_normal((n, 4))
        return {"x": x, "y": self.simulate(x)}

    def simulate(self, x: np.ndarray) -> np.ndarray:
        """Return the end point `[..., 2]` of postures `[..., 4]`."""
        angle = np.cumsum(x[..., 1:], axis=-1)
        reach, height = np.cos(angle) @ self.lengths.astype(x.dtype), np.sin(angle) @ self.lengths.astype(x.dtype)
        return np.stack([reach, x[..., 0] + height], axis=-1)

    def reference_posterior(
        self, y: np.ndarray, n: int, rng: np.random.Generator, *, width: float = 0.01, pool: int = 1_000_000
    ) -> np.ndarray:
        """Draw from the posterior under the likelihood N(y; simulated, width^2 I) by rejection sampling.

        Angles are drawn from the prior and accepted with the likelihood with x1 integrated out, which is a
        normal of width^2 in y1 and of width^2 + deviation_1^2 in y2; x1 given the angles is a normal. The
        accepted draws are exact samples, the same as from plain rejection over all four parameters. Observations
        that the first pools hardly reach get angles from a wider normal, accepted with the ratio of the two
        densities (bounded by its value at zero) besides, which is exact as well.

        Args:
            y: `[m, 2]`.
            n: samples for each observation.
            width: standard deviation of the likelihood, in the units of y.
            pool: prior draws at a time, shared by the observations.

        Returns:
            `[m, n, 4]`.
        """
        y = np.asarray(y, np.float64)
        out, filled = np.empty((len(y), n, 4)), np.zeros(len(y), int)
        variance_1 = self.deviations[0] ** 2
        for attempt in range(2_000):
            if (filled == n).all():
                return out
            wider = 1.0 if attempt < 6 else 1.3 if attempt < 12 else 1.7
            x = np.zeros((pool, 4))
            draws = wider * rng.standard_normal((pool, 3))
            x[:, 1:] = self.deviations[1:] * draws
            log_ratio = -0.5 * (1.0 - wider**-2) * (draws**2).sum(axis=1)
            end = self.simulate(x)
            order = np.argsort(end[:, 0])
            end, x, log_ratio = end[order], x[order], log_ratio[order]
            for i in np.flatnonzero(filled < n):
                low, high = np.searchsorted(end[:, 0], [y[i, 0] - 6 * width, y[i, 0] + 6 * width])
                first = (y[i, 0] - end[low:high, 0]) / width
                gap = y[i, 1] - end[low:high, 1]
                log_chance = log_ratio[low:high] - 0.5 * (first**2 + gap**2 / (variance_1 + width**2))
                hit = np.flatnonzero(np.log(rng.random(high - low)) < log_chance)
                hit = rng.permutation(hit)[: n - filled[i]]
                rows = x[low:high][hit]
                mean = gap[hit] * variance_1 / (variance_1 + width**2)
                deviation = np.sqrt(variance_1 * width**2 / (variance_1 + width**2))
                rows[:, 0] = mean + deviation * rng.standard_normal(len(hit))
                out[i, filled[i] : filled[i] + len(hit)] = rows
                filled[i] += len(hit)
        require(False, "name", "observations that the arm can reach", y[filled < n][0].tolist())
        return out
