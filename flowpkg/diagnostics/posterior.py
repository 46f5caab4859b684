"""Is a posterior calibrated? Ranks, bands, coverage, TARP, contraction and recovery.

Everywhere m observations, L posterior samples of each, P parameters: truth `[m, P]`, samples `[m, L, P]`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import stats

from flowpkg.diagnostics.two_sample import Estimate
from flowpkg.errors import DataError


class Estimates(NamedTuple):
    """Numbers `[P]` and their standard errors `[P]`."""

    value: np.ndarray
    standard_error: np.ndarray


class Intervals(NamedTuple):
    """Numbers `[P]` and the ends of their 95 % intervals."""

    value: np.ndarray
    low: np.ndarray
    high: np.ndarray


def _check(truth: np.ndarray, samples: np.ndarray) -> None:
    if np.ndim(truth) != 2 or np.ndim(samples) != 3 or np.shape(truth) != (len(samples), np.shape(samples)[2]):
        raise DataError(
            f"posterior: expected truth [m, P] and samples [m, L, P]; got {np.shape(truth)} and {np.shape(samples)}"
        )


def _check_ranks(ranks: np.ndarray, axes: str) -> None:
    if np.ndim(ranks) != len(axes.split(",")):
        raise DataError(f"posterior: expected ranks [{axes}]; got {np.shape(ranks)}")


def sbc_ranks(truth: np.ndarray, samples: np.ndarray) -> np.ndarray:
    """Return how many posterior samples lie below the truth, `[m, P]`, from 0 to L; uniform if calibrated.

    Source: Talts et al. 2018, arXiv:1804.06788, algorithm 1.
    """
    _check(truth, samples)
    return (samples < np.asarray(truth)[:, None, :]).sum(axis=1)


def _levels_of_ranks(ranks: np.ndarray, draws: int) -> np.ndarray:
    return (np.asarray(ranks) + 0.5) / (draws + 1.0)


def sbc_ks_p(ranks: np.ndarray, draws: int) -> np.ndarray:
    """Return the p-value of a Kolmogorov-Smirnov test of uniform ranks for each parameter, `[P]`.

    Args:
        ranks: `[m, P]` of `sbc_ranks`.
        draws: L.
    """
    _check_ranks(ranks, "m, P")
    return np.array([stats.kstest(column, "uniform").pvalue for column in _levels_of_ranks(ranks, draws).T])


def rank_histogram_band(m: int, bins: int, level: float = 0.95) -> tuple[float, float]:
    """Return the band that one bar of a rank histogram of m calibrated observations keeps to with chance `level`."""
    low, high = stats.binom.interval(level, m, 1.0 / bins)
    return float(low), float(high)


def ecdf_difference(ranks: np.ndarray, draws: int, grid: np.ndarray) -> np.ndarray:
    """Return the empirical distribution function of ranks `[m]` minus the uniform one, at `grid [g]`."""
    _check_ranks(ranks, "m")
    levels = np.sort(_levels_of_ranks(ranks, draws))
    return np.searchsorted(levels, grid, side="right") / len(levels) - grid


def ecdf_simultaneous_band(
    m: int, grid: np.ndarray, rng: np.random.Generator, level: float = 0.95, replicates: int = 2000
) -> tuple[np.ndarray, np.ndarray]:
    """Return a band that the whole ECDF difference of m uniform numbers stays within with chance `level`.

    Pointwise binomial intervals whose level is set by simulation, so that all of them hold at once.

    Returns:
        Lower and upper ends `[g]`.

    Source: Sailynoja, Buerkner & Vehtari 2022, arXiv:2103.10522, algorithm 1.
    """
    counts = np.stack([np.searchsorted(np.sort(rng.random(m)), grid, side="right") for _ in range(replicates)])
    tail = np.minimum(stats.binom.cdf(counts, m, grid), stats.binom.sf(counts - 1, m, grid))
    gamma = 2.0 * np.quantile(tail.min(axis=1), 1.0 - level)
    low = stats.binom.ppf(gamma / 2.0, m, grid) / m
    high = stats.binom.ppf(1.0 - gamma / 2.0, m, grid) / m
    return low - grid, high - grid


def coverage(ranks: np.ndarray, draws: int, levels: np.ndarray) -> np.ndarray:
    """Return the share of truths inside the central credible interval of each level, `[P, c]`."""
    _check_ranks(ranks, "m, P")
    depth = np.sort(np.abs(2.0 * _levels_of_ranks(ranks, draws) - 1.0), axis=0)
    return np.stack([np.searchsorted(column, levels, side="right") / len(column) for column in depth.T])


def coverage_band(m: int, levels: np.ndarray, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """Return the band `[c]` that the coverage of m calibrated observations keeps to with chance `level`, pointwise."""
    low, high = stats.binom.interval(level, m, levels)
    return low / m, high / m


CONFIDENCE_LEVELS = np.linspace(0.005, 0.995, 100)


def _calibration_error(ranks, draws, levels):
    return float(np.mean(np.median(np.abs(coverage(ranks, draws, levels) - levels), axis=1)))


def calibration_error(
    ranks: np.ndarray, draws: int, *, rng: np.random.Generator, levels=None, replicates: int = 100
) -> Estimate:
    """Return the median over confidence levels of |observed inlier fraction - nominal|, mean over parameters.

    The standard error is that of a bootstrap over observations.

    Args:
        ranks: `[m, P]` of `sbc_ranks`.
        draws: L.
        rng: for the bootstrap.
        levels: confidence levels `[c]`; by default 100 equally spaced, 0.005 to 0.995.
        replicates: bootstrap replicates.

    Source: Ardizzone et al. 2019, arXiv:1808.04730, section 4.
    """
    _check_ranks(ranks, "m, P")
    m, levels = len(ranks), CONFIDENCE_LEVELS if levels is None else np.asarray(levels)
    again = [_calibration_error(ranks[rng.integers(0, m, m)], draws, levels) for _ in range(replicates)]
    return Estimate(_calibration_error(ranks, draws, levels), float(np.std(again, ddof=1)))


def calibration_error_null(
    m: int, parameters: int, draws: int, rng: np.random.Generator, *, replicates: int = 200
) -> np.ndarray:
    """Return calibration errors `[replicates]` of a perfectly calibrated posterior: what chance alone gives."""
    return np.array(
        [
            _calibration_error(rng.integers(0, draws + 1, (m, parameters)), draws, CONFIDENCE_LEVELS)
            for _ in range(replicates)
        ]
    )


def calibration_error_at(ranks: np.ndarray, draws: int, level: float = 0.68) -> Estimate:
    """Return |observed inlier fraction - nominal| at one confidence level, mean over parameters.

    The binomial standard error is that of one parameter: an upper bound, as the errors of parameters may go together.
    """
    error = np.abs(coverage(ranks, draws, np.array([level])) - level).mean()
    return Estimate(float(error), float(np.sqrt(level * (1.0 - level) / len(ranks))))


def _tarp_fractions(truth, samples, rng, references=None):
    _check(truth, samples)
    low, span = truth.min(axis=0), np.ptp(truth, axis=0)
    if not np.all(span > 0):
        raise DataError(f"tarp: expected truths that vary in every parameter; got ranges {span}")
    if references is not None and np.shape(references) != np.shape(truth):
        raise DataError(f"tarp: expected references {np.shape(truth)}; got {np.shape(references)}")
    truth, samples = (truth - low) / span, (samples - low) / span
    reference = rng.random(truth.shape) if references is None else (references - low) / span
    distance = ((samples - reference[:, None]) ** 2).sum(axis=-1)
    inside = (distance < ((truth - reference) ** 2).sum(axis=-1)[:, None]).sum(axis=1)
    return _levels_of_ranks(inside, samples.shape[1])


def tarp(
    truth: np.ndarray, samples: np.ndarray, rng: np.random.Generator, *, references: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return credibility levels `[101]` and their expected coverage probability (TARP); equal if calibrated.

    References are uniform in the box of the truths unless given `[m, P]`, distances Euclidean in units of that box.

    Source: Lemos et al. 2023, arXiv:2302.03026, algorithm 2.
    """
    fractions = np.sort(_tarp_fractions(truth, samples, rng, references))
    alpha = np.linspace(0.0, 1.0, 101)
    return alpha, np.searchsorted(fractions, alpha, side="right") / len(fractions)


def tarp_p(truth: np.ndarray, samples: np.ndarray, rng: np.random.Generator) -> float:
    """Return the p-value of a Kolmogorov-Smirnov test that TARP's coverage is uniform."""
    return float(stats.kstest(_tarp_fractions(truth, samples, rng), "uniform").pvalue)


def contraction(samples: np.ndarray, prior_variance: np.ndarray) -> Estimates:
    """Return 1 - posterior variance / prior variance of each parameter: 0 nothing learned, 1 everything.

    Source: Schad, Betancourt & Vasishth 2021, arXiv:1904.12765, section 2.4.
    """
    if np.ndim(samples) != 3 or np.shape(prior_variance) != np.shape(samples)[2:]:
        raise DataError(
            f"contraction: expected samples [m, L, P] and variances [P]; got {np.shape(samples)} and "
            f"{np.shape(prior_variance)}"
        )
    each = 1.0 - samples.var(axis=1, ddof=1) / np.asarray(prior_variance)
    return Estimates(each.mean(axis=0), each.std(axis=0, ddof=1) / np.sqrt(len(each)))


def recovery(truth: np.ndarray, samples: np.ndarray) -> Intervals:
    """Return the correlation of posterior mean and truth of each parameter with its 95 % Fisher interval."""
    _check(truth, samples)
    mean = samples.mean(axis=1)
    value = np.array([np.corrcoef(a, b)[0, 1] for a, b in zip(truth.T, mean.T, strict=True)])
    reach = 1.959964 / np.sqrt(max(len(truth) - 3, 1))
    return Intervals(value, np.tanh(np.arctanh(value) - reach), np.tanh(np.arctanh(value) + reach))
