"""The shared base of densities in the plane."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import logsumexp

from flowpkg.errors import SettingsError

Box = tuple[tuple[float, float], tuple[float, float]]


def require(condition: bool, key: str, expected: str, value) -> None:
    """Raise `SettingsError` for the setting `problem.<key>` unless `condition` holds."""
    if not condition:
        raise SettingsError(f"problem.{key}: expected {expected}; got {value}")


class PointProblem:
    """A density in the plane with exact log-density, sampler and entropy.

    Subclasses define `sample`, `log_prob`, `bounds`, `smallest_scale`, and a closed `entropy_nats` where one exists.
    """

    names = ["x1", "x2"]
    dim = 2

    def sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Draw `[n, 2]` points."""
        raise TypeError(f"{type(self).__name__} does not define sample")

    def log_prob(self, x: np.ndarray) -> np.ndarray:
        """Return the exact log-density of `[n, 2]` points in nats, `[n]`."""
        raise TypeError(f"{type(self).__name__} does not define log_prob")

    def bounds(self) -> Box:
        """Return a box that holds all but about 1e-9 of the mass, for quadrature."""
        raise TypeError(f"{type(self).__name__} does not define bounds")

    def view(self) -> Box:
        """Return the box to draw."""
        return self.bounds()

    @property
    def smallest_scale(self) -> float:
        """The smallest length over which the density changes, in the units of x."""
        raise TypeError(f"{type(self).__name__} does not define smallest_scale")

    def grid(self) -> tuple[np.ndarray, float]:
        """Return quadrature points `[g, 2]` over `bounds` and the area that each stands for."""
        axes = []
        for low, high in self.bounds():
            count = math.ceil(2.5 * (high - low) / self.smallest_scale) + 1
            axes.append(np.linspace(low, high, count))
        area = float(np.prod([axis[1] - axis[0] for axis in axes]))
        return np.stack(np.meshgrid(*axes), axis=-1).reshape(-1, 2), area

    def entropy_nats(self) -> float:
        """Return the entropy in nats; here by the trapezoid rule on `grid`.

        For smooth densities that vanish at the box's edge the rule converges faster than any power of the
        spacing; at 2.5 points per smallest scale its error is below rounding.
        """
        points, area = self.grid()
        log_prob = self.log_prob(points)
        return float(-np.sum(np.exp(log_prob) * log_prob) * area)


def curve_log_prob(x: np.ndarray, curve: np.ndarray, weights: np.ndarray, noise: float) -> np.ndarray:
    """Return log sum_k w_k N(x; c_k, noise^2 I), the density of a noisy curve by quadrature along it.

    Args:
        x: `[n, 2]`.
        curve: `[k, 2]` quadrature nodes on the curve, closer than the noise.
        weights: `[k]` quadrature weights that add up to one.
        noise: standard deviation of the noise.
    """
    out = np.empty(len(x))
    for start in range(0, len(x), 4096):
        block = x[start : start + 4096]
        square = ((block[:, None, :] - curve) ** 2).sum(axis=-1)
        out[start : start + 4096] = logsumexp(-0.5 * square / noise**2, axis=1, b=weights)
    return out - math.log(2.0 * math.pi * noise**2)


def legendre(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return Gauss-Legendre nodes and weights on [0, 1]."""
    nodes, weights = np.polynomial.legendre.leggauss(count)
    return 0.5 * (nodes + 1.0), 0.5 * weights
