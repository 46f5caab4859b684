"""The seismograms of `seismograms.py` at a noise level that varies and is known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from flowpkg.problems.base import require
from flowpkg.problems.seismograms import Seismograms


class SeismogramsAnyNoise(Seismograms):
    """Seismograms whose noise level is drawn anew for each simulation and given as the last datum.

        level = exp(uniform(log noise, log noise_most)),   y = [traces + level * K e | log level]

    One conditional flow then answers for every noise level: how does the posterior widen as the data get worse?

    Args:
        noise: the lowest level.
        noise_most: the highest level.
        layers, thickness_m, receivers, samples, interval_s, frequency_hz, noise_correlation_s, velocity_m_s, level_sd,
            shape_sd, correlation_m: as `Seismograms`.

    Raises:
        SettingsError: the levels are out of order, or as `Seismograms`.
    """

    reference_rows = None
    any_noise = True

    def __init__(
        self,
        layers: int = 16,
        thickness_m: float = 25.0,
        receivers: Sequence[int] = (2, 5, 8, 11),
        samples: int = 24,
        interval_s: float = 0.01,
        frequency_hz: float = 15.0,
        noise: float = 0.01,
        noise_most: float = 0.3,
        noise_correlation_s: float = 0.0,
        velocity_m_s: float = 2200.0,
        level_sd: float = 0.1,
        shape_sd: float = 0.12,
        correlation_m: float = 75.0,
    ) -> None:
        require(noise_most > noise, "noise_most", f"a number > noise = {noise}", noise_most)
        super().__init__(
            layers,
            thickness_m,
            receivers,
            samples,
            interval_s,
            frequency_hz,
            noise,
            noise_correlation_s,
            velocity_m_s,
            level_sd,
            shape_sd,
            correlation_m,
        )
        self.noise_most = float(noise_most)
        self.y_names = [*self.y_names, "log_noise"]

    def observe(self, x: np.ndarray, e: np.ndarray, level: np.ndarray) -> np.ndarray:
        """Return data `[n, M + 1]` of profiles `[n, P]` with noise of standard normal e `[n, M]` at levels `[n]`."""
        shaped = e if self.noise_root is None else e @ self.noise_root.T
        level = np.broadcast_to(level, len(x))[:, None]
        return np.concatenate([self.simulate(x) + level * shaped, np.log(level)], axis=1)

    def sample(self, n: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Draw x `[n, P]`, y `[n, M + 1]` and the standard normal e `[n, M]` behind its noise."""
        x = self.from_normal(rng.standard_normal((n, self.dim)))
        level = np.exp(rng.uniform(np.log(self.noise), np.log(self.noise_most), n))
        e = rng.standard_normal((n, len(self.y_names) - 1))
        return {"x": x, "e": e, "y": self.observe(x, e, level)}

    def at_level(self, level: float) -> Seismograms:
        """Return the problem at one noise level."""
        problem = Seismograms.__new__(Seismograms)
        problem.__dict__ |= self.__dict__ | {"noise": float(level), "y_names": self.y_names[:-1]}
        return problem
