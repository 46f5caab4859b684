"""Maximum mean discrepancy (MMD) with fixed kernels."""

from __future__ import annotations

import numpy as np

from flowpkg.errors import DataError

WIDTHS = (0.05, 0.2, 0.9)


def _kernel(first: np.ndarray, second: np.ndarray, widths) -> np.ndarray:
    first, second = np.asarray(first, np.float32), np.asarray(second, np.float32)
    distance = first @ second.T
    distance *= -2.0
    distance += (first**2).sum(axis=1)[:, None]
    distance += (second**2).sum(axis=1)
    np.maximum(distance, 0.0, out=distance)
    out = np.zeros_like(distance)
    work = np.empty_like(distance)
    for width in widths:
        np.add(distance, np.float32(width**2), out=work)
        np.divide(np.float32(width**2), work, out=work)
        out += work
    return out


def _unbiased(kernel: np.ndarray, n: int) -> float:
    def within(block):
        rows = len(block)
        return (block.sum(dtype=np.float64) - np.trace(block, dtype=np.float64)) / (rows * (rows - 1))

    return float(within(kernel[:n, :n]) + within(kernel[n:, n:]) - 2.0 * kernel[:n, n:].mean(dtype=np.float64))


def _check(first: np.ndarray, second: np.ndarray) -> None:
    if np.ndim(first) != 2 or np.ndim(second) != 2 or np.shape(first)[1] != np.shape(second)[1]:
        raise DataError(f"mmd: expected two arrays [n, d] and [m, d]; got {np.shape(first)} and {np.shape(second)}")
    if min(len(first), len(second)) < 2:
        raise DataError(f"mmd: expected at least two rows of each; got {len(first)} and {len(second)}")


def _pooled(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the two sets one below the other, centred: float32 distances lose digits far from the origin."""
    centre = np.mean(first, axis=0, dtype=np.float64)
    return np.concatenate([first - centre, second - centre])


def mmd(first: np.ndarray, second: np.ndarray, *, widths=WIDTHS) -> float:
    """Return the unbiased estimate of the squared MMD of two sample sets; it may fall below zero.

        E k(a, a') + E k(b, b') - 2 E k(a, b),   k(a, b) = sum over h of h^2 / (h^2 + |a - b|^2)

    Args:
        first, second: `[n, d]` and `[m, d]`.
        widths: h of the inverse multiquadrics, in the units of the samples; by default those with which this
            project defines `err_post`.

    Raises:
        DataError: shapes do not fit.

    Source: Gretton et al. 2012, JMLR 13, lemma 6; kernel as in Ardizzone et al. 2019, arXiv:1808.04730.
    """
    _check(first, second)
    both = _pooled(first, second).astype(np.float32)
    a, b = both[: len(first)], both[len(first) :]
    within = sum(_kernel_sum(rows, rows, widths, diagonal=False) / (len(rows) * (len(rows) - 1)) for rows in (a, b))
    return within - 2.0 * _kernel_sum(a, b, widths, diagonal=True) / (len(a) * len(b))


def _kernel_sum(first: np.ndarray, second: np.ndarray, widths, *, diagonal: bool) -> float:
    """Return the sum of the kernel over all pairs, block by block: blocks fit the cache, the whole matrix does not."""
    total, size = 0.0, 128
    for start in range(0, len(first), size):
        kernel = _kernel(first[start : start + size], second, widths)
        total += float(kernel.sum(dtype=np.float64))
        if not diagonal:
            total -= float(np.trace(kernel[:, start:], dtype=np.float64))
    return total


def mmd_permutation_null(
    first: np.ndarray, second: np.ndarray, rng: np.random.Generator, replicates: int = 200, *, widths=WIDTHS
) -> np.ndarray:
    """Return MMDs `[replicates]` of random splits of the pooled samples, the null distribution of `mmd`."""
    _check(first, second)
    both = _pooled(first, second)
    kernel = _kernel(both, both, widths)
    out = np.empty(replicates)
    for index in range(replicates):
        order = rng.permutation(len(both))
        out[index] = _unbiased(kernel[np.ix_(order, order)], len(first))
    return out
