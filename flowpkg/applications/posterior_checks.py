"""What every application that draws posteriors measures: calibration, and means and spreads beside a reference."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from flowpkg.diagnostics import posterior as check
from flowpkg.errors import SettingsError
from flowpkg.partition import Partition
from flowpkg.seeds import generator, tensorflow_seed

SHARED_FIGURES = ("sbc_ranks", "sbc_ecdf", "coverage", "recovery", "training_curves")
SBC_BINS = 20
LEVELS = np.linspace(0.01, 0.99, 99)


def partition(widths: Mapping[str, int], settings: Mapping[str, Any]) -> tuple[Partition, int]:
    """Return the partition and the width of the context; a conditional flow leaves the data noise e out."""
    if settings["flow"]["kind"] == "conditional":
        return Partition(x=widths["x"]), widths["y"]
    if settings["problem"]["name"] == "simulator" and widths["x"] + widths.get("e", 0) <= widths["y"]:
        raise SettingsError(
            f"problem.padding: expected at least {widths['y'] - widths['x'] + 1} for an invertible flow of "
            f"{widths['x']} parameters and {widths['y']} data, or flow.kind conditional; got {widths.get('e', 0)}"
        )
    return Partition(x=widths["x"], e=widths.get("e", 0), y=widths["y"]), 0


def draw_posteriors(model, data: Mapping[str, np.ndarray], settings: Mapping[str, Any]):
    """Draw posterior samples for the held-out observations that are measured, and time it.

    Args:
        model: the trained `FlowModel`.
        data: `test_x [n, P]`, `test_y [n, M]`, and `test_e` where the data have noise.
        settings: the run's complete settings.

    Returns:
        Truths `[m, P]`, their data `[m, M]`, samples `[m, L, P]`, and metrics: counts, held-out negative
        log-likelihood, samples a second.
    """
    options, seed = settings["evaluation"], settings["seed"]
    count, draws = min(options["observations"], len(data["test_x"])), options["posterior_samples"]
    truth, y = data["test_x"][:count], data["test_y"][:count]
    # The first call compiles; what follows is what a user who samples again sees.
    model.posterior(y, draws, seed=(0, 0))
    start = time.perf_counter()
    samples = model.posterior(y, draws, seed=tensorflow_seed(seed, "posterior"))
    seconds = time.perf_counter() - start
    known = None if model.context_dim else data.get("test_e")
    log_prob = np.asarray(model.log_prob(data["test_x"], known, data["test_y"]), np.float64)
    metrics = {
        "heldout_rows": len(data["test_x"]),
        "observations": count,
        "posterior_samples": draws,
        "nll_nats": -log_prob.mean(),
        "nll_nats_se": log_prob.std(ddof=1) / np.sqrt(len(log_prob)),
        "samples_per_second": samples.shape[0] * samples.shape[1] / seconds,
        "sampling_seconds": seconds,
    }
    return truth, y, samples, metrics


def calibration(truth: np.ndarray, samples: np.ndarray, seed: int) -> tuple[dict[str, float], dict[str, np.ndarray]]:
    """Return the metrics of calibration and the arrays of its figures.

    Args:
        truth: `[m, P]`.
        samples: posterior samples `[m, L, P]`.
        seed: the run's seed.
    """
    count, draws = len(truth), samples.shape[1]
    ranks = check.sbc_ranks(truth, samples)
    error = check.calibration_error(ranks, draws, rng=generator(seed, "calibration error"))
    null = check.calibration_error_null(count, truth.shape[1], draws, generator(seed, "calibration null"))
    at_68 = check.calibration_error_at(ranks, draws, 0.68)
    observed = check.coverage(ranks, draws, LEVELS)
    low, high = check.coverage_band(count, LEVELS)
    few = samples[:, : min(draws, 500)].astype(np.float64)
    alpha, expected = check.tarp(truth, few, generator(seed, "tarp"))
    p = check.sbc_ks_p(ranks, draws)
    mean, deviation = samples.mean(axis=1, dtype=np.float64), samples.std(axis=1, dtype=np.float64)
    found = check.recovery(truth, few)
    metrics = {
        "calibration_error": error.value,
        "calibration_error_se": error.standard_error,
        "calibration_error_null_q95": np.quantile(null, 0.95),
        "calibration_error_68": at_68.value,
        "calibration_error_68_se": at_68.standard_error,
        "sbc_ks_p_min": p.min(),
        "coverage_max_abs_error": np.abs(observed - LEVELS).max(),
        "coverage_max_abs_error_null_q95": coverage_null(count, truth.shape[1], LEVELS, generator(seed, "coverage")),
        "tarp_max_abs_error": np.abs(expected - alpha).max(),
        "tarp_p": check.tarp_p(truth, few, generator(seed, "tarp")),
        "recovery_correlation_min": found.value.min(),
    }
    grid = np.linspace(0.0, 1.0, 101)[1:-1]
    band = check.ecdf_simultaneous_band(count, grid, generator(seed, "ecdf band"))
    bar = check.rank_histogram_band(count, SBC_BINS)
    arrays = {
        "sbc_ranks": ranks,
        "sbc_draws": np.array(draws),
        "sbc_bins": np.array(SBC_BINS),
        "sbc_band_low": np.array(bar[0]),
        "sbc_band_high": np.array(bar[1]),
        "ecdf_grid": grid,
        "ecdf_difference": np.stack([check.ecdf_difference(column, draws, grid) for column in ranks.T]),
        "ecdf_low": band[0],
        "ecdf_high": band[1],
        "coverage_levels": LEVELS,
        "coverage_observed": observed,
        "coverage_low": low,
        "coverage_high": high,
        "recovery_truth": truth,
        "recovery_mean": mean,
        "recovery_sd": deviation,
    }
    return metrics, arrays


def calibration_of_many(
    model, data: Mapping[str, np.ndarray], options: Mapping[str, Any], seed: int
) -> dict[str, float]:
    """Calibration over more observations with fewer samples each: 1,000 observations cannot show an error below 0.01."""
    count = min(options["calibration_observations"], len(data["test_x"]))
    truth, y, draws = data["test_x"][:count], data["test_y"][:count], min(options["posterior_samples"], 250)
    ranks = check.sbc_ranks(truth, model.posterior(y, draws, seed=tensorflow_seed(seed, "posterior of many")))
    error = check.calibration_error(ranks, draws, rng=generator(seed, "calibration error of many"))
    null = check.calibration_error_null(count, truth.shape[1], draws, generator(seed, "calibration null of many"))
    return {
        "calibration_error_many": error.value,
        "calibration_error_many_se": error.standard_error,
        "calibration_error_many_null_q95": np.quantile(null, 0.95),
        "sbc_ks_p_min_many": check.sbc_ks_p(ranks, draws).min(),
        "coverage_max_abs_error_many": np.abs(check.coverage(ranks, draws, LEVELS) - LEVELS).max(),
        "coverage_max_abs_error_many_null_q95": coverage_null(
            count, truth.shape[1], LEVELS, generator(seed, "coverage of many")
        ),
        "observations_many": count,
    }


def coverage_null(count: int, parameters: int, levels: np.ndarray, rng: np.random.Generator) -> float:
    """Return the 95 % quantile of the largest coverage error, over levels and parameters, of a calibrated posterior."""
    inside = np.sort(np.abs(2.0 * rng.random((200, parameters, count)) - 1.0), axis=-1)
    rates = np.array([[np.searchsorted(column, levels) / count for column in rows] for rows in inside])
    return float(np.quantile(np.abs(rates - levels).max(axis=(1, 2)), 0.95))


def compare_moments(
    samples: np.ndarray, mean: np.ndarray, sd: np.ndarray
) -> tuple[dict[str, float], tuple[np.ndarray, np.ndarray]]:
    """Compare means and standard deviations of posterior samples with those of the right posterior.

    Args:
        samples: `[m, L, P]`.
        mean, sd: of the right posterior, `[m, P]`, the deviations also `[P]`.

    Returns:
        Metrics, and the samples' own means and deviations `[m, P]`.
    """
    found, deviation = samples.mean(axis=1, dtype=np.float64), samples.std(axis=1, dtype=np.float64, ddof=1)
    error, spread = np.abs(found - mean) / sd, deviation / sd
    metrics = {
        "mean_error_sd": error.mean(),
        "mean_error_sd_se": error.mean(axis=1).std(ddof=1) / np.sqrt(len(samples)),
        # Samples have a mean error of their own, sqrt(2 / (pi n)) on average for a perfect posterior.
        "mean_error_sd_reference": np.sqrt(2.0 / (np.pi * samples.shape[1])),
        "spread_ratio": spread.mean(),
        "spread_ratio_se": spread.mean(axis=1).std(ddof=1) / np.sqrt(len(samples)),
        "spread_ratio_min": spread.mean(axis=0).min(),
        "spread_ratio_max": spread.mean(axis=0).max(),
    }
    return metrics, (found, deviation)
