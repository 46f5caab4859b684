"""Application 5: posteriors of parameters given data, against rejection sampling or a closed form, and calibrated."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from flowpkg.diagnostics import posterior as check
from flowpkg.diagnostics.kernels import mmd
from flowpkg.diagnostics.two_sample import c2st
from flowpkg.errors import SettingsError
from flowpkg.partition import Partition
from flowpkg.problems import load_problem
from flowpkg.seeds import generator, tensorflow_seed

SHARED_FIGURES = ("sbc_ranks", "sbc_ecdf", "coverage", "recovery", "training_curves")
ARM_FIGURES = ("posterior_arms", "posterior_pairs", "resimulation", "arm_explorer")
SBC_BINS = 20


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


def figures(settings: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the figures of a run with these settings."""
    own = {"arm": ARM_FIGURES, "simulator": ("posterior_pairs",)}.get(settings["problem"]["name"], ("certificate",))
    return (*own, *SHARED_FIGURES)


def evaluate(model, data: Mapping[str, np.ndarray], settings: Mapping[str, Any]):
    """Measure posteriors on held-out observations.

    Args:
        model: the trained `FlowModel`.
        data: `test_x [n, P]` and `test_y [n, M]`, and `test_e` where the data have noise.
        settings: the run's complete settings.

    Returns:
        Metrics (see config/README.md for each key) and the arrays that the figures are drawn from.
    """
    options, seed = settings["evaluation"], settings["seed"]
    problem = load_problem(settings["problem"])
    count, draws = min(options["observations"], len(data["test_x"])), options["posterior_samples"]
    truth, y = data["test_x"][:count], data["test_y"][:count]
    # The first call compiles; what follows is what a user who samples again sees.
    model.posterior(y, draws, seed=(0, 0))
    start = time.perf_counter()
    samples = model.posterior(y, draws, seed=tensorflow_seed(seed, "posterior"))
    seconds = time.perf_counter() - start
    known = None if model.context_dim else data["test_e"] if "test_e" in data else None
    log_prob = _numpy(model.log_prob(data["test_x"], known, data["test_y"]))
    metrics = {
        "heldout_rows": len(data["test_x"]),
        "observations": count,
        "posterior_samples": draws,
        "nll_nats": -log_prob.mean(),
        "nll_nats_se": log_prob.std(ddof=1) / np.sqrt(len(log_prob)),
        "samples_per_second": samples.shape[0] * samples.shape[1] / seconds,
        "sampling_seconds": seconds,
    }
    arrays = {"names": np.array(model.names)}
    parts = [_calibration(truth, samples, seed), (_calibration_of_many(model, data, options, seed), {})]
    if hasattr(problem, "reference_posterior"):
        parts.append(_references(problem, samples, y, truth, options, seed))
    else:
        parts.append(_without_reference(model, data, samples, seed))
    for part in parts:
        metrics |= part[0]
        arrays |= part[1]
    if problem.demonstration is not None:
        more = _demonstration(model, problem, options, seed)
        arrays |= more
    if hasattr(problem, "exact_posterior"):
        more_metrics, more_arrays = _certificate(problem, samples, y, truth)
        metrics |= more_metrics
        arrays |= more_arrays
    return {key: float(value) for key, value in metrics.items()}, arrays


def _calibration(truth, samples, seed):
    count, draws = len(truth), samples.shape[1]
    ranks = check.sbc_ranks(truth, samples)
    error = check.calibration_error(ranks, draws, rng=generator(seed, "calibration error"))
    null = check.calibration_error_null(count, truth.shape[1], draws, generator(seed, "calibration null"))
    at_68 = check.calibration_error_at(ranks, draws, 0.68)
    levels = np.linspace(0.01, 0.99, 99)
    observed = check.coverage(ranks, draws, levels)
    low, high = check.coverage_band(count, levels)
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
        "coverage_max_abs_error": np.abs(observed - levels).max(),
        "coverage_max_abs_error_null_q95": _coverage_null(count, truth.shape[1], levels, generator(seed, "coverage")),
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
        "coverage_levels": levels,
        "coverage_observed": observed,
        "coverage_low": low,
        "coverage_high": high,
        "recovery_truth": truth,
        "recovery_mean": mean,
        "recovery_sd": deviation,
    }
    return metrics, arrays


def _calibration_of_many(model, data, options, seed):
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
        "observations_many": count,
    }


def _coverage_null(count, parameters, levels, rng) -> float:
    inside = np.sort(np.abs(2.0 * rng.random((200, parameters, count)) - 1.0), axis=-1)
    rates = np.array([[np.searchsorted(column, levels) / count for column in rows] for rows in inside])
    return float(np.quantile(np.abs(rates - levels).max(axis=(1, 2)), 0.95))


def _references(problem, samples, y, truth, options, seed):
    metrics, arrays = {}, {}
    rng = generator(seed, "reference posterior")
    reference = problem.reference_posterior(y, samples.shape[1], rng, width=options["reference_width"])
    some = range(min(options["c2st_observations"], len(y)))
    scores = [c2st(reference[i], samples[i], generator(seed, "posterior c2st", i)).value for i in some]
    ranks = check.sbc_ranks(truth, reference)
    exact = check.calibration_error(ranks, samples.shape[1], rng=generator(seed, "calibration error"), replicates=2)
    metrics |= {
        # The same truths under a posterior that is right: what the draw of observations alone does to both.
        "calibration_error_reference": exact.value,
        "sbc_ks_p_min_reference": check.sbc_ks_p(ranks, samples.shape[1]).min(),
        "posterior_c2st": np.mean(scores),
        "posterior_c2st_se": np.std(scores, ddof=min(1, len(scores) - 1)) / np.sqrt(len(scores)),
        "posterior_c2st_max": np.max(scores),
    }
    if problem.noise_free:
        distances = [mmd(a, b) for a, b in zip(samples, reference, strict=True)]
        again = problem.reference_posterior(y[:100], samples.shape[1], rng, width=options["reference_width"])
        floor = [mmd(a, b) for a, b in zip(again, reference[:100], strict=True)]
        square = ((problem.simulate(_numpy(samples)) - y[:, None]) ** 2).sum(axis=-1)
        metrics |= {
            "err_post": np.mean(distances),
            "err_post_se": np.std(distances, ddof=1) / np.sqrt(len(distances)),
            "err_post_reference": np.mean(floor),
            "err_resim": square.mean(),
            "err_resim_se": square.mean(axis=1).std(ddof=1) / np.sqrt(len(y)),
            "err_resim_median": np.median(square),
            "err_resim_q999": np.quantile(square, 0.999),
            "err_resim_reference": ((problem.simulate(reference) - y[:, None]) ** 2).sum(axis=-1).mean(),
        }
        probability = np.concatenate([np.linspace(0.0, 0.99, 100), 1.0 - np.logspace(-2, -6, 81)])
        arrays |= {"resim_probability": probability, "resim_distance": np.quantile(np.sqrt(square), probability)}
    return metrics, arrays


def _without_reference(model, data, samples, seed):
    """What can be said of a user's simulator, which is not run again: contraction, and one posterior to look at."""
    shrunk = check.contraction(samples.astype(np.float64), data["test_x"].var(axis=0, ddof=1))
    least = int(np.argmin(shrunk.value))
    y = data["test_y"]
    distance = (((y - y.mean(axis=0)) / y.std(axis=0)) ** 2).sum(axis=1)
    row = int(np.argsort(distance, kind="stable")[len(y) // 2])
    metrics = {
        "contraction": shrunk.value.mean(),
        "contraction_min": shrunk.value[least],
        "contraction_min_se": shrunk.standard_error[least],
    }
    arrays = {
        "demo_truth": data["test_x"][row],
        "demo_posterior": _numpy(model.posterior(y[row : row + 1], 2000, seed=tensorflow_seed(seed, "demonstration"))),
    }
    return metrics, arrays


def _demonstration(model, problem, options, seed):
    y = problem.demonstration
    nodes = [np.linspace(0.5, 1.95, 16), np.linspace(-1.5, 1.5, 25)]
    mesh = np.stack(np.meshgrid(*nodes, indexing="ij"), axis=-1)
    arms = model.posterior(mesh.reshape(-1, 2), 40, seed=tensorflow_seed(seed, "explorer"))
    return {
        "lengths": problem.lengths,
        "demo_y": y,
        "demo_posterior": _numpy(model.posterior(y, 2000, seed=tensorflow_seed(seed, "demonstration"))),
        "demo_reference": problem.reference_posterior(
            y, 2000, generator(seed, "demonstration"), width=options["reference_width"]
        ),
        "explorer_y1": nodes[0],
        "explorer_y2": nodes[1],
        "explorer_x": _numpy(arms).reshape(len(nodes[0]), len(nodes[1]), 40, -1),
    }


def _certificate(problem, samples, y, truth):
    exact_mean, covariance = problem.exact_posterior(y)
    exact_sd = np.sqrt(np.diag(covariance))
    mean, deviation = samples.mean(axis=1, dtype=np.float64), samples.std(axis=1, dtype=np.float64, ddof=1)
    # Samples have a mean error of their own, sqrt(2 / (pi n)) on average for a perfect posterior.
    error, spread = np.abs(mean - exact_mean) / exact_sd, deviation / exact_sd
    metrics = {
        "mean_error_sd": error.mean(),
        "mean_error_sd_se": error.mean(axis=1).std(ddof=1) / np.sqrt(len(y)),
        "mean_error_sd_reference": np.sqrt(2.0 / (np.pi * samples.shape[1])),
        "spread_ratio": spread.mean(),
        "spread_ratio_se": spread.mean(axis=1).std(ddof=1) / np.sqrt(len(y)),
        "spread_ratio_min": spread.mean(axis=0).min(),
        "spread_ratio_max": spread.mean(axis=0).max(),
    }
    few = slice(0, 3)
    arrays = {
        "certificate_truth": truth[few],
        "certificate_mean": mean[few],
        "certificate_sd": deviation[few],
        "exact_mean": exact_mean[few],
        "exact_sd": exact_sd,
    }
    return metrics, arrays


def _numpy(value) -> np.ndarray:
    return np.asarray(value, np.float64)
