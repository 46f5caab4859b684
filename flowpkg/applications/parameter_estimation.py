"""Application 5: posteriors of parameters given data, against rejection sampling or a closed form, and calibrated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from flowpkg.applications.posterior_checks import (
    SHARED_FIGURES,
    calibration,
    calibration_of_many,
    compare_moments,
    draw_posteriors,
    partition,
)
from flowpkg.diagnostics import posterior as check
from flowpkg.diagnostics.kernels import mmd
from flowpkg.diagnostics.two_sample import c2st
from flowpkg.problems import load_problem
from flowpkg.seeds import generator, tensorflow_seed

__all__ = ["evaluate", "figures", "partition"]

ARM_FIGURES = ("posterior_arms", "posterior_pairs", "resimulation", "arm_explorer")


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
    truth, y, samples, metrics = draw_posteriors(model, data, settings)
    arrays = {"names": np.array(model.names)}
    parts = [calibration(truth, samples, seed), (calibration_of_many(model, data, options, seed), {})]
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
    metrics, (mean, deviation) = compare_moments(samples, exact_mean, exact_sd)
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
