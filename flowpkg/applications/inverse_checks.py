"""What both geophysical inverse problems measure: fit of the data, contraction, speed, and the distance from MCMC."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from flowpkg.applications.posterior_checks import compare_moments
from flowpkg.diagnostics import posterior as check
from flowpkg.diagnostics.two_sample import c2st
from flowpkg.seeds import generator, tensorflow_seed

FEW = 100  # simulations of each observation's posterior that are kept for figures
LATENCY_SAMPLES, LATENCY_CALLS = 1000, 15
INCLUDED_OBSERVATIONS = 100


def latency(model, y: np.ndarray, seed: int) -> dict[str, float]:
    """Return the milliseconds of 1,000 posterior samples of one new observation, the median and the slowest of calls."""
    model.posterior(y[:1], LATENCY_SAMPLES)
    seconds = []
    for row in range(LATENCY_CALLS):
        observation = y[row % len(y) : row % len(y) + 1]
        start = time.perf_counter()
        model.posterior(observation, LATENCY_SAMPLES, seed=tensorflow_seed(seed, "latency", row))
        seconds.append(time.perf_counter() - start)
    return {"posterior_ms_1000": 1e3 * np.median(seconds), "posterior_ms_1000_max": 1e3 * np.max(seconds)}


def resimulation(
    problem, samples: np.ndarray, y: np.ndarray, prior_spread: np.ndarray, most: int = 100
) -> tuple[dict[str, float], dict[str, np.ndarray]]:
    """Simulate posterior samples again and compare with the observations.

    Args:
        problem: with `simulate` and `noise`.
        samples: `[m, L, P]`.
        y: observations `[m, M]`.
        prior_spread: standard deviation of the data under the prior, `[M]`.
        most: samples of each observation that are simulated.

    Returns:
        Metrics: `err_resim` is the root mean square misfit in units of y, `misfit_q99_of_spread` the 99 % quantile of
        the absolute misfit over the prior spread of the data, at the station where it is largest; and the array
        `misfit_q99` of all stations.
    """
    misfit = problem.simulate(np.asarray(samples[:, :most], np.float64)) - y[:, None]
    square = (misfit**2).mean(axis=(1, 2))
    q99 = np.quantile(np.abs(misfit), 0.99, axis=(0, 1)) / prior_spread
    inside = (np.abs(misfit) <= 0.02 * prior_spread).mean(axis=(0, 1))
    rms = np.sqrt(square.mean())
    metrics = {
        "err_resim": rms,
        # Of a root: the error of the mean square over twice the root.
        "err_resim_se": square.std(ddof=1) / np.sqrt(len(square)) / max(2.0 * rms, 1e-300),
        "err_resim_over_noise": rms / problem.noise,
        "misfit_q99_of_spread": q99.max(),
        "misfit_within_2_percent_min": inside.min(),
    }
    return metrics, {"misfit_q99": q99, "data_prior_sd": prior_spread}


def contraction(problem, samples: np.ndarray) -> tuple[dict[str, float], dict[str, np.ndarray]]:
    """Return how much of the prior's variance the data remove, and posterior over prior spread along the profile."""
    found = check.contraction(samples.astype(np.float64), problem.prior_variance)
    ratio = samples.std(axis=1, dtype=np.float64, ddof=1) / np.sqrt(problem.prior_variance)
    metrics = {
        "contraction": found.value.mean(),
        "contraction_se": np.sqrt((found.standard_error**2).mean()),
        "contraction_min": found.value.min(),
        "contraction_max": found.value.max(),
    }
    arrays = {"spread_over_prior": np.quantile(ratio, [0.1, 0.5, 0.9], axis=0), "spread_mean": ratio.mean(axis=0)}
    return metrics, arrays


def against_reference(
    model, problem, reference: Mapping[str, Any], samples_per_second: float, settings: Mapping[str, Any]
) -> tuple[dict[str, float], dict[str, np.ndarray]]:
    """Compare the flow with reference posteriors by MCMC of a few observations.

    Args:
        model: the trained `FlowModel`.
        problem: the problem.
        reference: `x [m, P]`, `y [m, M]`, `samples [m, n, P]`, `report` of `flowpkg reference` and `train_seconds`.
        samples_per_second: of the flow, many observations in one call.
        settings: the run's complete settings.

    Returns:
        Metrics and arrays for figures.
    """
    seed, y, right = settings["seed"], reference["y"], np.asarray(reference["samples"], np.float64)
    count = right.shape[1]
    found = model.posterior(y, count, seed=tensorflow_seed(seed, "beside reference")).astype(np.float64)
    scores = [c2st(a, b, generator(seed, "posterior c2st", i)) for i, (a, b) in enumerate(zip(right, found))]
    values = np.array([score.value for score in scores])
    moments, _ = compare_moments(found, right.mean(axis=1), right.std(axis=1, ddof=1))
    halves, _ = compare_moments(right[:, ::2], right[:, 1::2].mean(axis=1), right[:, 1::2].std(axis=1, ddof=1))
    report = reference["report"]
    effective = np.minimum(report["ess_bulk_min"], report["ess_tail_min"])
    each = report["seconds_per_effective_sample"]
    work = INCLUDED_OBSERVATIONS * LATENCY_SAMPLES
    metrics = moments | {
        "posterior_c2st": values.mean(),
        # The classifier's error on one observation; observations are few and chosen, not drawn.
        "posterior_c2st_se": np.sqrt(np.mean([score.standard_error**2 for score in scores]) / len(scores)),
        "posterior_c2st_max": values.max(),
        "posterior_c2st_typical": values[0],
        # Two halves of the reference's own samples: what their number alone gives, twice over as each has half.
        "mean_error_sd_reference": halves["mean_error_sd"] / np.sqrt(2.0),
        "reference_rhat_max": np.max(report["rhat_max"]),
        "reference_ess_min": effective.min(),
        "reference_seconds": report["seconds"],
        "reference_seconds_per_effective_sample": each,
        "speedup_vs_mcmc": each * samples_per_second,
        "speedup_vs_mcmc_with_training": work * each / (reference["train_seconds"] + work / samples_per_second),
        "err_resim_reference": np.sqrt(np.mean((problem.simulate(right[:, :FEW]) - y[:, None]) ** 2)),
    }
    prior_sd = np.sqrt(problem.prior_variance)
    arrays = {
        "reference_x": reference["x"],
        "reference_y": y,
        "reference_samples": right.astype(np.float32),
        "reference_flow": found.astype(np.float32),
        "reference_true_data": problem.simulate(reference["x"]),
        "reference_predicted": problem.simulate(found[:, :FEW]),
        "reference_spread": right.std(axis=1, ddof=1) / prior_sd,
        "reference_c2st": values,
        "reference_name": np.array("NUTS" if report.get("sampler", "nuts") == "nuts" else "MCMC"),
    }
    return metrics, arrays


def describe(problem) -> dict[str, np.ndarray]:
    """Return what figures need to know of the problem: names, the profile's axis and the prior along it."""
    prior = problem.from_normal(generator(0, "prior band").standard_normal((4000, problem.dim)))
    arrays = {
        "names": np.array(problem.names),
        "y_names": np.array(problem.y_names),
        "x_axis": np.asarray(problem.x_axis, np.float64),
        "x_axis_name": np.array(problem.x_axis_name),
        "prior_quantiles": np.quantile(prior, [0.025, 0.16, 0.5, 0.84, 0.975], axis=0),
        "noise": np.array(problem.noise),
        "problem": np.array(type(problem).__name__.lower()),
    }
    for name in ("stations", "width", "times", "receiver_depth", "thickness", "periods"):
        if hasattr(problem, name):
            arrays[name] = np.asarray(getattr(problem, name), np.float64)
    return arrays
