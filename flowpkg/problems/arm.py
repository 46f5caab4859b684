"""Inverse kinematics of a planar arm."""

from __future__ import annotations

import numpy as np

from flowpkg.errors import DataError
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
        accepted draws are exact samples, the same as from plain rejection over all four parameters.
        Observations that four pools do not fill get angles from a wider normal (1.7 times) and are accepted with
        their weight over the largest weight found among all draws (empirical supremum), exact but for that.

        Args:
            y: `[m, 2]`.
            n: samples for each observation.
            width: standard deviation of the likelihood, in the units of y.
            pool: prior draws at a time, shared by the observations.

        Returns:
            `[m, n, 4]`.

        Raises:
            DataError: an observation that no arm comes near.

        Source: Caffo, Booth & Davis 2002, Biometrika 89, 745-754, for the empirical supremum.
        """
        y = np.asarray(y, np.float64)
        out, open_rows = np.empty((len(y), n, 4)), np.arange(len(y))
        kept: list[list[np.ndarray]] = [[] for _ in y]
        for attempt in range(304):
            if not open_rows.size:
                return out
            exact = attempt < 4
            if attempt == 4:
                kept = [[] for _ in y]
            wider = 1.0 if exact else 1.7
            draws = wider * rng.standard_normal((pool, 3))
            x = np.concatenate([np.zeros((pool, 1)), self.deviations[1:] * draws], axis=1)
            log_ratio = -0.5 * (1.0 - wider**-2) * (draws**2).sum(axis=1)
            end = self.simulate(x)
            order = np.argsort(end[:, 0])
            end, x, log_ratio = end[order], x[order], log_ratio[order]
            for i in open_rows:
                low, high = np.searchsorted(end[:, 0], [y[i, 0] - 5 * width, y[i, 0] + 5 * width])
                first, gap = (y[i, 0] - end[low:high, 0]) / width, y[i, 1] - end[low:high, 1]
                log_weight = log_ratio[low:high] - 0.5 * (first**2 + gap**2 / (self.deviations[0] ** 2 + width**2))
                # A uniform number of each draw's own: whatever the bound turns out to be, it decides once.
                score = log_weight - np.log(rng.random(high - low))
                keep = score > (0.0 if exact else log_weight.max(initial=-np.inf))
                rows = np.column_stack([x[low:high], gap, log_weight, score])[keep]
                kept[i].append(rows)
            open_rows = np.array([i for i in open_rows if not self._fill(out[i], kept[i], exact, width, rng)], int)
        raise DataError(f"reference posterior: expected points that the arm can reach; got {y[open_rows[0]].tolist()}")

    def _fill(self, out, kept, exact, width, rng) -> bool:
        rows = np.concatenate(kept)
        if not len(rows):
            return False
        rows = rows[rows[:, 6] > (0.0 if exact else rows[:, 5].max())]
        if len(rows) < len(out):
            return False
        rows = rows[rng.permutation(len(rows))[: len(out)]]
        variance = self.deviations[0] ** 2
        mean = rows[:, 4] * variance / (variance + width**2)
        deviation = np.sqrt(variance * width**2 / (variance + width**2))
        out[:] = rows[:, :4]
        out[:, 0] = mean + deviation * rng.standard_normal(len(out))
        return True
