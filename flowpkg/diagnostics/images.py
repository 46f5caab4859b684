"""Images as data: bits per dimension, code length, blur, Frechet distance, nearest neighbours."""

from __future__ import annotations

import io
import math
from typing import NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter

from flowpkg.diagnostics.two_sample import Estimate

CHUNK = 1024


def flattened(images: np.ndarray) -> np.ndarray:
    """Return images `[n, H, W, C]` of 0 to 255 as float32 rows `[n, H W C]` of 0 to 1."""
    return images.reshape(len(images), -1).astype(np.float32) / 255.0


def bits_per_dim(log_prob: np.ndarray, dim: int, step: float = 1.0) -> Estimate:
    """Return the mean bits per dimension of images of whole levels, and its standard error.

        bits = -log q(level + step u) / (N ln 2) - log2(step),   u ~ U[0, 1)^N

    with q a density over [0, 256), so that the papers' term for 256 levels is in it. By Jensen's inequality
    this is an upper bound of the discrete code length.

    Args:
        log_prob: `[n]` log-densities in nats of uniformly dequantised images.
        dim: N, the number of pixels times channels.
        step: distance of grey levels; 1 for 8-bit data.

    Source: Theis et al. 2016, arXiv:1511.01844, section 3.1.
    """
    bits = -np.asarray(log_prob, np.float64) / (dim * math.log(2.0)) - math.log2(step)
    error = float(bits.std(ddof=1) / math.sqrt(len(bits))) if len(bits) > 1 else math.nan
    return Estimate(float(bits.mean()), error)


def code_length_bits(images: np.ndarray) -> np.ndarray:
    """Return the length in bits of each image as PNG, a measure of how complex it is, `[n]`.

    Args:
        images: uint8 `[n, H, W, C]`; one and three channels are stored as such, others side by side.

    Source: Serra et al. 2020, arXiv:1909.11480, section 3.
    """
    from PIL import Image

    lengths = np.empty(len(images))
    for index, image in enumerate(images):
        if image.shape[-1] != 3:
            image = image.reshape(image.shape[0], -1)
        buffer = io.BytesIO()
        Image.fromarray(np.ascontiguousarray(image)).save(buffer, "PNG", compress_level=9)
        lengths[index] = 8 * buffer.tell()
    return lengths


def blurred(images: np.ndarray, width: float, step: int = 1) -> np.ndarray:
    """Return uint8 images `[n, H, W, C]` after a Gaussian blur of `width` pixels, edges mirrored, on levels of `step`."""
    smooth = gaussian_filter(images.astype(np.float32), (0.0, width, width, 0.0), mode="reflect")
    return (np.clip(np.rint(smooth / step), 0, 255 // step) * step).astype(np.uint8)


def scrambled(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return images whose four quadrants have changed places, never all staying: same pixels, another content."""
    n, height, width, _ = images.shape
    h, w = height // 2, width // 2
    corners = [(top, left) for top in (0, height - h) for left in (0, width - w)]
    out = images.copy()
    for index in range(n):
        order = np.roll(np.arange(4), 1 + rng.integers(3))
        for (top, left), source in zip(corners, order, strict=True):
            a, b = corners[source]
            out[index, top : top + h, left : left + w] = images[index, a : a + h, b : b + w]
    return out


class PixelFeatures(NamedTuple):
    """Principal components of training pixels: mean `[N]` and orthonormal columns `[N, k]`."""

    mean: np.ndarray
    vectors: np.ndarray

    @classmethod
    def fit(cls, images: np.ndarray, count: int, rng: np.random.Generator) -> PixelFeatures:
        """Fit to at most 5,000 images `[n, H, W, C]`; fewer components than `count` where there are fewer images."""
        from sklearn.utils.extmath import randomized_svd

        kept = np.sort(rng.permutation(len(images))[:5000])
        rows = flattened(images[kept])
        mean = rows.mean(axis=0)
        count = min(count, rows.shape[1], len(rows) - 1)
        _, _, right = randomized_svd(rows - mean, count, random_state=int(rng.integers(2**31)))
        return cls(mean, right.T)

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Return features `[n, k]` of images `[n, H, W, C]`."""
        parts = [
            (flattened(images[start : start + CHUNK]) - self.mean) @ self.vectors
            for start in range(0, len(images), CHUNK)
        ]
        return np.concatenate(parts).astype(np.float64)

    def residual(self, images: np.ndarray) -> np.ndarray:
        """Return each image's mean squared reconstruction error from its features, `[n]`: an anomaly score."""
        errors = []
        for start in range(0, len(images), CHUNK):
            rows = flattened(images[start : start + CHUNK]) - self.mean
            errors.append(((rows - (rows @ self.vectors) @ self.vectors.T) ** 2).mean(axis=1))
        return np.concatenate(errors).astype(np.float64)


def frechet_distance(first: np.ndarray, second: np.ndarray) -> float:
    """Return the squared Frechet distance of the normal distributions fitted to two feature sets.

        |m1 - m2|^2 + tr(C1 + C2 - 2 (C1^1/2 C2 C1^1/2)^1/2)

    Args:
        first, second: `[n, k]` and `[m, k]`.

    Source: Heusel et al. 2017, arXiv:1706.08500, section 3 (there with features of a classifier).
    """
    gap = first.mean(axis=0) - second.mean(axis=0)
    one, two = (np.atleast_2d(np.cov(rows, rowvar=False)) for rows in (first, second))
    values, vectors = np.linalg.eigh(one)
    root = (vectors * np.sqrt(np.clip(values, 0.0, None))) @ vectors.T
    cross = np.sqrt(np.clip(np.linalg.eigvalsh(root @ two @ root), 0.0, None)).sum()
    return float(gap @ gap + np.trace(one) + np.trace(two) - 2.0 * cross)


class FrechetCheck(NamedTuple):
    """Distance of generated to held-out images, and that between two halves of held-out ones."""

    generated: Estimate
    halves: Estimate
    ratio: Estimate


def frechet_check(
    heldout: np.ndarray, generated: np.ndarray, rng: np.random.Generator, *, replicates: int = 40
) -> FrechetCheck:
    """Compare generated with held-out features, with equal sample sizes on all sides.

    The distance falls with sample size, so a fair reference has the same: held-out rows are halved at random
    `replicates` times, A and B, and A is compared with B and with as many generated rows drawn without
    replacement. Values are means over the halvings; standard errors come from a bootstrap of both sets, each
    replicate halved once, whose upward shift (repeated rows) is left out.

    Args:
        heldout, generated: features `[n, k]` and `[m, k]`, m at least n // 2.
        rng: for halvings and bootstrap.
        replicates: of both.
    """
    size = min(len(heldout) // 2, len(generated))

    def once(held, made):
        order, chosen = rng.permutation(len(held)), rng.permutation(len(made))[:size]
        first, second = held[order[:size]], held[order[size : 2 * size]]
        return frechet_distance(first, made[chosen]), frechet_distance(first, second)

    values = np.array([once(heldout, generated) for _ in range(replicates)])
    again = np.array(
        [
            once(*(rows[rng.integers(0, len(rows), len(rows))] for rows in (heldout, generated)))
            for _ in range(replicates)
        ]
    )
    mean, error = values.mean(axis=0), again.std(axis=0, ddof=1)
    ratio = Estimate(float(mean[0] / mean[1]), float((again[:, 0] / again[:, 1]).std(ddof=1)))
    return FrechetCheck(*(Estimate(float(m), float(e)) for m, e in zip(mean, error, strict=True)), ratio)


def nearest_neighbours(images: np.ndarray, train: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the nearest training image of each image by Euclidean distance of pixels of 0 to 1.

    Args:
        images: `[n, H, W, C]`.
        train: `[m, H, W, C]`; read in chunks, so it may be a memory map.

    Returns:
        Indices `[n]` into `train` and distances `[n]`.
    """
    rows = flattened(images)
    square = (rows**2).sum(axis=1)
    best, index = np.full(len(rows), np.inf, np.float32), np.zeros(len(rows), int)
    for start in range(0, len(train), CHUNK):
        block = flattened(train[start : start + CHUNK])
        distance = square[:, None] + (block**2).sum(axis=1) - 2.0 * rows @ block.T
        nearest = distance.argmin(axis=1)
        value = distance[np.arange(len(rows)), nearest]
        closer = value < best
        best[closer], index[closer] = value[closer], start + nearest[closer]
    return index, np.sqrt(np.clip(best, 0.0, None)).astype(np.float64)


def ratio_of_means(numerator: np.ndarray, denominator: np.ndarray) -> Estimate:
    """Return the ratio of two independent means with its standard error to first order."""
    value = numerator.mean() / denominator.mean()
    parts = [rows.var(ddof=1) / len(rows) / rows.mean() ** 2 for rows in (numerator, denominator)]
    return Estimate(float(value), float(value * math.sqrt(sum(parts))))
