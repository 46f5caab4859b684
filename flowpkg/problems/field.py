"""The shared base of inverse problems whose unknown is a positive, smooth profile."""

from __future__ import annotations

import numpy as np

from flowpkg.problems.base import require


def matern(distance: np.ndarray, length: float) -> np.ndarray:
    """Return the Matern correlation of smoothness 3/2, (1 + s) exp(-s) with s = sqrt(3) distance / length.

    Draws have one derivative: smooth to the eye, and the covariance of close points stays well conditioned, which
    that of a squared exponential does not.

    Source: Rasmussen & Williams 2006, Gaussian Processes for Machine Learning, equation 4.17.
    """
    scaled = np.sqrt(3.0) * np.abs(distance) / length
    return (1.0 + scaled) * np.exp(-scaled)


class FieldProblem:
    """A profile x with a log-normal prior, observed through a simulator.

        x = trend * exp(L u),   u ~ N(0, I_P),   L L^T = C,   C_ij = level^2 + shape^2 matern(p_i - p_j, length)
        y = simulate(x) + noise * K e,   e ~ N(0, I_M)

    so that log x is a Gaussian process around log trend whose level is uncertain too. Subclasses set `names`,
    `y_names`, `x_axis_name` and `noise`, and define `simulate`; `noise_root` is K where the noise is coloured.

    Args:
        trend: prior median of x, `[P]`, in the units of x.
        position: where on the profile each value belongs, `[P]`, in m.
        level_sd: standard deviation of the level of log x.
        shape_sd: standard deviation of the variation of log x along the profile.
        correlation_m: correlation length of that variation.

    Raises:
        SettingsError: a number is out of range.
    """

    demonstration = None
    noise_free = False
    noise_root: np.ndarray | None = None
    x_axis_name: str
    names: list[str]
    y_names: list[str]
    noise: float

    def __init__(
        self, trend: np.ndarray, position: np.ndarray, *, level_sd: float, shape_sd: float, correlation_m: float
    ) -> None:
        require(level_sd >= 0, "level_sd", "a number >= 0", level_sd)
        require(shape_sd > 0, "shape_sd", "a number > 0", shape_sd)
        require(correlation_m > 0, "correlation_m", "a number > 0", correlation_m)
        self.trend, self.x_axis = np.asarray(trend, np.float64), np.asarray(position, np.float64)
        self.dim = len(self.trend)
        distance = self.x_axis[:, None] - self.x_axis
        self.log_covariance = level_sd**2 + shape_sd**2 * matern(distance, correlation_m)
        self.root = np.linalg.cholesky(self.log_covariance)

    def simulate(self, x: np.ndarray) -> np.ndarray:
        """Return noise-free data `[..., M]` of profiles `[..., P]`."""
        raise TypeError(f"{type(self).__name__} does not define simulate")

    def from_normal(self, u: np.ndarray) -> np.ndarray:
        """Return the profiles `[..., P]` of standard normal u `[..., P]`."""
        return self.trend * np.exp(np.asarray(u, np.float64) @ self.root.T)

    def to_normal(self, x: np.ndarray) -> np.ndarray:
        """Return the standard normal u `[..., P]` of profiles `[..., P]`; the inverse of `from_normal`."""
        log_ratio = np.log(np.asarray(x, np.float64) / self.trend)
        return np.linalg.solve(self.root, log_ratio[..., None])[..., 0]

    @property
    def prior_variance(self) -> np.ndarray:
        """Prior variance of each value of x, `[P]`, that of a log-normal."""
        variance = np.diag(self.log_covariance)
        return self.trend**2 * np.exp(variance) * np.expm1(variance)

    def log_prior(self, x: np.ndarray) -> np.ndarray:
        """Return the prior log-density of profiles `[..., P]` in nats, `[...]`."""
        u = self.to_normal(x)
        log_det = np.log(np.diag(self.root)).sum() + np.log(x).sum(axis=-1)
        return -0.5 * (u**2).sum(axis=-1) - log_det - 0.5 * self.dim * np.log(2.0 * np.pi)

    def shaped_noise(self, e: np.ndarray) -> np.ndarray:
        """Return the data noise `[..., M]`, in the units of y, of standard normal e `[..., M]`."""
        return self.noise * (e if self.noise_root is None else e @ self.noise_root.T)

    def recovered_noise(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Return the standard normal e `[..., M]` that turn the data of profiles x into the observations y."""
        residual = (y - self.simulate(x)) / self.noise
        return residual if self.noise_root is None else np.linalg.solve(self.noise_root, residual[..., None])[..., 0]

    def sample(self, n: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Draw x `[n, P]` from the prior and simulate y `[n, M]`; with noise its e `[n, M]` too."""
        x = self.from_normal(rng.standard_normal((n, self.dim)))
        y = self.simulate(x)
        if self.noise_free:
            return {"x": x, "y": y}
        e = rng.standard_normal(y.shape)
        return {"x": x, "e": e, "y": y + self.shaped_noise(e)}

    def reference_rows(self, test_x: np.ndarray, test_y: np.ndarray) -> np.ndarray:
        """Return the held-out rows `[3]` that reference posteriors are drawn for.

        The rows at the 50 %, 1 % and 99 % quantiles of the prior's Mahalanobis distance: a typical profile, the one
        closest to the prior's median, and one far in its tails.

        Args:
            test_x: held-out profiles `[n, P]`.
            test_y: their data, for problems that choose by these.
        """
        order = np.argsort((self.to_normal(test_x) ** 2).sum(axis=1), kind="stable")
        return order[np.round(np.array([0.5, 0.01, 0.99]) * (len(order) - 1)).astype(int)]
