"""The velocities of a layered ground from the traces of a vertical seismic profile."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from flowpkg.problems.base import require
from flowpkg.problems.field import FieldProblem, matern

# Spectrum of the Ricker wavelet beyond this many peak frequencies: below 1e-8 of its maximum.
BAND = 5.0
# What the damping of complex frequencies leaves of an arrival that comes one period late and wraps around.
WRAP = 1e-5


def ricker(time_s: np.ndarray, frequency_hz: float) -> np.ndarray:
    """Return the Ricker wavelet of unit peak at time 0, (1 - 2 a t^2) exp(-a t^2) with a = (pi f)^2."""
    square = (np.pi * frequency_hz * np.asarray(time_s)) ** 2
    return (1.0 - 2.0 * square) * np.exp(-square)


def impedance(velocity_m_s):
    """Return density times velocity in kg/(m^2 s), with Gardner's density 310 v^0.25 kg/m^3.

    Source: Gardner, Gardner & Gregory 1974, Geophysics 39, 770-780, equation 2 in SI units.
    """
    return 310.0 * velocity_m_s**1.25


class Seismograms(FieldProblem):
    """What are the velocities of the ground below, given noisy traces of receivers in a borehole?

        trend(z) = velocity_m_s (z / 100 m)^(1/6),   velocity = trend * exp(Gaussian process)
        y = particle velocity at the receivers + noise * K e

    A zero-offset vertical seismic profile: a vertical force on the free surface sends a plane P wave straight down
    through horizontal layers of equal thickness on a half-space (the last layer), and geophones in the upper part of
    a borehole record the direct wave, the reflections from below, which alone know the ground beneath the deepest
    receiver, and all multiples. At normal incidence the elastic and the acoustic problem are the same. The source
    is a Ricker wavelet centred on time 0, as a correlated vibrator's is, known, and scaled so that the wave that
    leaves it has a peak of 1 in the median ground.

    The simulation is exact for this ground: in the frequency domain each layer is a delay, each interface a
    reflection coefficient, and the response of the stack below follows from the bottom up,

        G_j = (r_j + G_{j+1} d_{j+1}) / (1 + r_j G_{j+1} d_{j+1}),   d_j = exp(-2 i w thickness / v_j),
        r_j = (Z_j - Z_{j+1}) / (Z_j + Z_{j+1}),   Z = density * v

    and the waves at the receivers from the top down. Nothing is stepped through time or space, so there is no
    Courant condition and no numerical dispersion. What takes its place is checked instead: the sampling interval
    resolves the wavelet, the sum over frequencies reaches where the spectrum is below 1e-8 of its maximum, and its
    period is so long and its frequencies so damped (complex) that what wraps around is below WRAP of the late tail.

    Args:
        layers: P; the last one is the half-space.
        thickness_m: of each layer.
        receivers: layers at whose bottom a receiver sits, counted from 1.
        samples: of each trace; M is this times the receivers.
        interval_s: between samples; the first is at time 0.
        frequency_hz: peak frequency of the wavelet.
        noise: standard deviation of the noise, where the direct wave at the surface has a peak of about 1.
        noise_correlation_s: correlation time of the noise of each trace, Matern 3/2; 0 for white noise.
        velocity_m_s: prior median of the velocity at 100 m depth.
        level_sd: prior standard deviation of the log-velocity of the whole profile.
        shape_sd: prior standard deviation of the log-velocity along the profile.
        correlation_m: its correlation length.

    Raises:
        SettingsError: a number is out of range; the samples are too far apart for the wavelet.

    Source: recursion: Kennett 1983, Seismic Wave Propagation in Stratified Media, chapter 6; Claerbout 1976,
        Fundamentals of Geophysical Data Processing, chapter 8. Complex frequencies: Phinney 1965, JGR 70, 5107-5123.
        Vertical seismic profiles: Hardage 1985, Vertical Seismic Profiling. Trend: Faust 1951, Geophysics 16,
        192-206. Noise as an input of the flow: Zhang & Curtis 2021, JGR Solid Earth 126, e2021JB022320.
    """

    x_axis_name = "depth (m)"

    def __init__(
        self,
        layers: int = 16,
        thickness_m: float = 25.0,
        receivers: Sequence[int] = (2, 5, 8, 11),
        samples: int = 24,
        interval_s: float = 0.01,
        frequency_hz: float = 15.0,
        noise: float = 0.05,
        noise_correlation_s: float = 0.0,
        velocity_m_s: float = 2200.0,
        level_sd: float = 0.1,
        shape_sd: float = 0.12,
        correlation_m: float = 75.0,
    ) -> None:
        positive = {"thickness_m": thickness_m, "interval_s": interval_s, "frequency_hz": frequency_hz}
        for name, value in (positive | {"noise": noise, "velocity_m_s": velocity_m_s}).items():
            require(value > 0, name, "a number > 0", value)
        require(layers >= 2, "layers", "an integer >= 2", layers)
        require(samples >= 2, "samples", "an integer >= 2", samples)
        ordered = list(receivers) == sorted(set(receivers)) and len(receivers) > 0
        require(
            ordered and 1 <= receivers[0] and receivers[-1] < layers,
            "receivers",
            f"rising numbers of layers from 1 to {layers - 1}",
            list(receivers),
        )
        # At 2.5 peak frequencies the spectrum is 3 % of its maximum; what lies above may alias.
        require(
            interval_s <= 0.2 / frequency_hz,
            "interval_s",
            f"at most {0.2 / frequency_hz:.4g} s, two samples a period at 2.5 x frequency_hz",
            interval_s,
        )
        require(noise_correlation_s >= 0, "noise_correlation_s", "a number >= 0", noise_correlation_s)
        middle = thickness_m * (np.arange(layers) + 0.5)
        trend = velocity_m_s * (middle / 100.0) ** (1.0 / 6.0)
        super().__init__(trend, middle, level_sd=level_sd, shape_sd=shape_sd, correlation_m=correlation_m)
        self.thickness, self.frequency, self.noise = float(thickness_m), float(frequency_hz), float(noise)
        self.receivers = np.asarray(receivers, int)
        self.receiver_depth = self.thickness * self.receivers
        self.times = interval_s * np.arange(samples)
        self.names = [f"velocity_m_s_{index + 1:02d}" for index in range(layers)]
        self.y_names = [f"trace_{r + 1}_sample_{s + 1:02d}" for r in range(len(receivers)) for s in range(samples)]
        if noise_correlation_s > 0:
            covariance = matern(self.times[:, None] - self.times, noise_correlation_s)
            self.noise_root = np.kron(np.eye(len(receivers)), np.linalg.cholesky(covariance))
        self._prepare_frequencies(float(self.times[-1]))

    def _prepare_frequencies(self, record_s: float) -> None:
        # An arrival wraps around one period late: long after the record, and not into it from the wavelet's start.
        period = max(2.0 * record_s, record_s + 4.0 / self.frequency)
        self.damping = -np.log(WRAP) / period
        self.frequencies = np.arange(int(np.ceil(BAND * self.frequency * period)) + 1) / period
        self.omega = 2.0 * np.pi * self.frequencies - 1j * self.damping
        width = (np.pi * self.frequency) ** 2
        spectrum = np.sqrt(np.pi / width) * self.omega**2 / (2.0 * width) * np.exp(-(self.omega**2) / (4.0 * width))
        self.source = spectrum * impedance(self.trend[0])
        weight = np.where(self.frequencies == 0.0, 1.0, 2.0) / period
        # Real part of the inverse transform [K, T] as two real matrices, for the real and the imaginary parts.
        kernel = weight[:, None] * np.exp(1j * self.omega[:, None] * self.times)
        self.kernel = np.concatenate([kernel.real, -kernel.imag])

    def simulate(self, x: np.ndarray) -> np.ndarray:
        """Return traces `[..., M]`, one receiver after the other, of velocities `[..., P]` in m/s."""
        x = np.asarray(x, np.float64)
        rows = x.reshape(-1, self.dim)
        out = np.empty((len(rows), len(self.receivers) * len(self.times)))
        for start in range(0, len(rows), 512):
            out[start : start + 512] = self._block(rows[start : start + 512])
        return out.reshape(*x.shape[:-1], -1)

    def _block(self, velocity: np.ndarray) -> np.ndarray:
        velocity = velocity.T.copy()
        z = impedance(velocity)
        r = (z[:-1] - z[1:]) / (z[:-1] + z[1:])
        delay = self.thickness / velocity
        layers, count = velocity.shape
        # Frequencies are equally spaced: each is the one before times a constant, which saves the exponentials.
        once, step = np.exp(-self.damping * delay) + 0j, np.exp(-2j * np.pi * self.frequencies[1] * delay)
        below = np.zeros((layers, count), complex)
        waves = np.empty((len(self.frequencies), len(self.receivers), count), complex)
        for k in range(len(self.frequencies)):
            if k:
                once *= step
            twice = once * once
            for j in range(layers - 2, -1, -1):
                seen = below[j + 1] * twice[j + 1]
                below[j] = (r[j] + seen) / (1.0 + r[j] * seen)
            down = self.source[k] / (z[0] * (1.0 - below[0] * twice[0]))
            found = 0
            for j in range(self.receivers[-1]):
                bottom = down * once[j] * (1.0 + below[j])
                if self.receivers[found] == j + 1:
                    waves[k, found] = bottom
                    found += 1
                down = bottom / (1.0 + below[j + 1] * twice[j + 1])
        both = np.concatenate([waves.real, waves.imag])
        return np.tensordot(both, self.kernel, axes=(0, 0)).transpose(1, 0, 2).reshape(count, -1)
