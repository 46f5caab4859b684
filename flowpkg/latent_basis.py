"""Principal components of latents: planes to look at, the articles' PCA sampling, and ways between two latents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from flowpkg.errors import DataError, SettingsError

BANDS = (16, 64)  # components at which bands of the latent statistics end


@dataclass(frozen=True)
class LatentBasis:
    """Leading principal components of the latents of training images.

        component_i = v_i . (z - mean) / deviation_i

    White latents have no principal components; where a flow ends in a whitening, the directions are those that it
    found before it made them white, and all deviations are near one.

    Args:
        mean: of z, `[N]`.
        vectors: orthonormal columns `[N, k]`, the largest variance first.
        deviations: standard deviation of z along each, `[k]`.
    """

    mean: np.ndarray
    vectors: np.ndarray
    deviations: np.ndarray

    @classmethod
    def fit(cls, latent: np.ndarray, count: int, rng: np.random.Generator, *, directions=None) -> LatentBasis:
        """Fit to latents `[n, N]`.

        Args:
            latent: latents of training images.
            count: most components; at most n - 1.
            rng: for the randomised decomposition.
            directions: orthonormal columns `[N, k]` to take instead of those of `latent`, leading ones first.
        """
        from sklearn.utils.extmath import randomized_svd

        latent = np.asarray(latent, np.float32)
        mean = latent.mean(axis=0, dtype=np.float64)
        centred = latent - mean.astype(np.float32)
        count = max(1, min(count, latent.shape[1], len(latent) - 1))
        if directions is None:
            _, _, right = randomized_svd(centred, count, random_state=int(rng.integers(2**31)))
        else:
            right = np.asarray(directions, np.float32)[:, :count].T
        # The sign of a component is free: its largest entry is made positive, so that figures repeat.
        right = right * np.sign(right[np.arange(len(right)), np.abs(right).argmax(axis=1)])[:, None]
        # Single precision, as stored, so that a basis read back gives the same statistics to the last bit.
        vectors = right.T.astype(np.float32).astype(np.float64)
        return cls(mean, vectors, (centred @ vectors.astype(np.float32)).std(axis=0, ddof=1, dtype=np.float64))

    @property
    def count(self) -> int:
        """Number of components."""
        return len(self.deviations)

    def components(self, latent: np.ndarray, count: int | None = None) -> np.ndarray:
        """Return the leading components of latents `[n, N]` in standard deviations, `[n, count]`."""
        count = self.count if count is None else count
        return ((latent - self.mean) @ self.vectors[:, :count]) / self.deviations[:count]

    def latent(self, components: np.ndarray, rest: np.ndarray | None = None) -> np.ndarray:
        """Return latents `[n, N]` with given leading components; in all other directions those of `rest`, or the mean."""
        vectors = self.vectors[:, : components.shape[1]]
        u = (components * self.deviations[: components.shape[1]]) @ vectors.T
        if rest is not None:
            other = rest - self.mean
            u += other - (other @ vectors) @ vectors.T
        return self.mean + u

    def sample(
        self,
        n: int,
        rng: np.random.Generator,
        *,
        components: int | None = None,
        covariance_scale: float = 1.0,
        rest: float = 0.0,
    ) -> np.ndarray:
        """Draw latents from the normal distribution fitted to those of training images.

        Args:
            n: number of latents.
            rng: random numbers.
            components: leading components that vary; all by default.
            covariance_scale: factor of their covariance; the articles take 0.25.
            rest: standard deviation of z in all other directions; the articles take 0.

        Returns:
            `[n, N]`.

        Raises:
            SettingsError: an argument is out of range.
        """
        components = self.count if components is None else components
        if not 1 <= components <= self.count:
            raise SettingsError(f"components: expected a number from 1 to {self.count}; got {components}")
        if not covariance_scale > 0 or rest < 0:
            raise SettingsError(
                f"covariance_scale, rest: expected a number > 0 and one >= 0; got {covariance_scale} and {rest}"
            )
        drawn = np.sqrt(covariance_scale) * rng.standard_normal((n, components))
        other = self.mean + rest * rng.standard_normal((n, len(self.mean))) if rest else None
        return self.latent(drawn, other)

    def statistics(self, latent: np.ndarray) -> np.ndarray:
        """Return statistics of latents `[n, N]` that a standard normal latent has near known values.

        Mean, log mean square and log mean fourth power of z; log mean square of its first quarter, second
        quarter and second half, which are the scales of a multi-scale flow of three levels; log mean square of
        the components in each band (up to 16, 64 and all), and of what no component covers. One value each,
        `[n, s]`.
        """
        latent = np.asarray(latent, np.float64)
        components = self.components(latent)
        square = latent**2
        columns = [latent.mean(axis=1), np.log(square.mean(axis=1)), np.log((square**2).mean(axis=1))]
        scales = [0, latent.shape[1] // 4, latent.shape[1] // 2, latent.shape[1]]
        columns += [np.log(square[:, a:b].mean(axis=1)) for a, b in zip(scales[:-1], scales[1:], strict=True)]
        ends = [0, *(end for end in BANDS if end < self.count), self.count]
        columns += [np.log((components[:, a:b] ** 2).mean(axis=1)) for a, b in zip(ends[:-1], ends[1:], strict=True)]
        if self.count < latent.shape[1]:
            u = latent - self.mean
            left = (u**2).sum(axis=1) - ((components * self.deviations) ** 2).sum(axis=1)
            columns.append(np.log(np.maximum(left, 1e-12 * (1.0 + (u**2).sum(axis=1))) / latent.shape[1]))
        return np.column_stack(columns)

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return plain arrays that `from_arrays` reads; vectors in single precision."""
        return {
            "latent_mean": self.mean,
            "latent_vectors": self.vectors.astype(np.float32),
            "latent_deviations": self.deviations,
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray], *, source: str = "scores") -> LatentBasis:
        """Rebuild from `to_arrays`.

        Raises:
            DataError: an array is missing.
        """
        names = ("mean", "vectors", "deviations")
        missing = [f"latent_{name}" for name in names if f"latent_{name}" not in arrays]
        if missing:
            raise DataError(f"{source}: expected principal components of latents; got no {', '.join(missing)}")
        return cls(*(np.asarray(arrays[f"latent_{name}"], np.float64) for name in names))


def straight(first: np.ndarray, second: np.ndarray, steps: int) -> np.ndarray:
    """Return `steps` points on the line from one latent `[N]` to another, ends included, `[steps, N]`."""
    weight = np.linspace(0.0, 1.0, steps)[:, None]
    return (1.0 - weight) * first + weight * second


def spherical(first: np.ndarray, second: np.ndarray, steps: int) -> np.ndarray:
    """Return `steps` points on the arc from one latent `[N]` to another, `[steps, N]`.

        z(t) = [sin((1 - t) a) z0/|z0| + sin(t a) z1/|z1|] / sin a * ((1 - t) |z0| + t |z1|)

    with a the angle between them. Norms stay those of typical latents, where a line passes close to the origin.
    Falls back to the line where the two point the same or opposite ways.

    Source: White 2016, arXiv:1609.04468, section 2.1.
    """
    norms = np.linalg.norm(first), np.linalg.norm(second)
    if min(norms) == 0:
        return straight(first, second, steps)
    cosine = float(np.clip(first @ second / (norms[0] * norms[1]), -1.0, 1.0))
    angle = np.arccos(cosine)
    if np.sin(angle) < 1e-6:
        return straight(first, second, steps)
    weight = np.linspace(0.0, 1.0, steps)[:, None]
    arc = (np.sin((1.0 - weight) * angle) * first / norms[0] + np.sin(weight * angle) * second / norms[1]) / np.sin(
        angle
    )
    return arc * ((1.0 - weight) * norms[0] + weight * norms[1])
