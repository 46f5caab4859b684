"""The certificate: a linear inverse problem whose posterior is known in closed form."""

from __future__ import annotations

import numpy as np

from flowpkg.problems.base import require


class LinearGaussian:
    """Smooth linear operator, standard normal unknowns, normal noise.

        x ~ N(0, I_P),  y = G x + noise e,  e ~ N(0, I_M)
        G_ij = exp(-(t_i - s_j)^2 / (2 width^2)) / sqrt(P),   t, s at the middles of M and P equal cells of [0, 1]
        x | y ~ N(C G^T y / noise^2, C),   C = (I + G^T G / noise^2)^-1

    With noise 0 there is no e, and x | y has the mean G^+ y and the covariance of the projector on the null
    space of G, to numerical rank.

    Args:
        unknowns: P.
        data: M; below P where the noise is zero, else y would have no density.
        noise: standard deviation of the data noise, in units of y.
        width: width of the kernel, as a share of the interval; wider means smoother and worse conditioned.

    Raises:
        SettingsError: M is not below P without noise.
    """

    demonstration = None

    def __init__(self, unknowns: int = 16, data: int = 40, noise: float = 0.1, width: float = 0.1) -> None:
        require(noise > 0 or data < unknowns, "data", f"less than {unknowns} unknowns where the noise is 0", data)
        self.dim, self.noise = int(unknowns), float(noise)
        self.noise_free = noise == 0
        t, s = ((np.arange(count) + 0.5) / count for count in (data, unknowns))
        self.operator = np.exp(-0.5 * ((t[:, None] - s) / width) ** 2) / np.sqrt(unknowns)
        self.names = [f"x{index + 1}" for index in range(unknowns)]
        self.y_names = [f"y{index + 1}" for index in range(data)]

    @property
    def prior_variance(self) -> np.ndarray:
        """Prior variance of each unknown, `[P]`."""
        return np.ones(self.dim)

    def sample(self, n: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Draw x `[n, P]`, y `[n, M]` and, where there is noise, e `[n, M]`."""
        x = rng.standard_normal((n, self.dim))
        if self.noise_free:
            return {"x": x, "y": self.simulate(x)}
        e = rng.standard_normal((n, len(self.operator)))
        return {"x": x, "e": e, "y": self.simulate(x) + self.noise * e}

    def simulate(self, x: np.ndarray) -> np.ndarray:
        """Return noise-free data `[..., M]` of unknowns `[..., P]`."""
        return x @ self.operator.T

    def exact_posterior(self, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the posterior means `[m, P]` of observations `[m, M]` and the covariance `[P, P]` of all of them."""
        y = np.asarray(y, np.float64)
        if self.noise_free:
            inverse = np.linalg.pinv(self.operator, rcond=1e-8)
            return y @ inverse.T, np.eye(self.dim) - inverse @ self.operator
        covariance = np.linalg.inv(np.eye(self.dim) + self.operator.T @ self.operator / self.noise**2)
        return y @ (covariance @ self.operator.T / self.noise**2).T, covariance

    def reference_posterior(self, y: np.ndarray, n: int, rng: np.random.Generator, *, width: float = 0.0) -> np.ndarray:
        """Draw from the exact posterior, `[m, n, P]`; `width` is not used."""
        mean, covariance = self.exact_posterior(y)
        value, vector = np.linalg.eigh(covariance)
        root = vector * np.sqrt(np.maximum(value, 0.0))
        return mean[:, None, :] + rng.standard_normal((len(mean), n, self.dim)) @ root.T
