"""Application 6: a glacier's bed from gravity without noise, beside MCMC with a small stated data error."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from flowpkg.applications.inverse_checks import against_reference, contraction, describe, latency, resimulation
from flowpkg.applications.posterior_checks import (
    SHARED_FIGURES,
    calibration,
    calibration_of_many,
    draw_posteriors,
    partition,
)
from flowpkg.metrics import plain
from flowpkg.noise import split_noise
from flowpkg.problems import load_problem

__all__ = ["evaluate", "figures", "partition"]


def figures(settings: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the figures of a run with these settings."""
    own = ("valley_section", "data_fit", "profile_spread", "reference_marginals", "posterior_pairs")
    return (*own, *SHARED_FIGURES)


def evaluate(
    model,
    data: Mapping[str, np.ndarray],
    settings: Mapping[str, Any],
    *,
    reference: Mapping[str, Any] | None = None,
):
    """Measure posteriors on held-out observations.

    Simulations are exact. A flow trained with fresh noise claims the posterior under the problem's data error, as MCMC
    does, so calibration is measured on observations with that error; one trained on exact data claims the posterior
    without, and gets exact ones.

    Args:
        model: the trained `FlowModel`.
        data: `test_x [n, P]` and `test_y [n, M]`.
        settings: the run's complete settings.
        reference: what `flowpkg reference` wrote; without it nothing is compared with MCMC.

    Returns:
        Metrics (see config/README.md for each key) and the arrays that the figures are drawn from.
    """
    problem, seed = load_problem(settings["problem"]), settings["seed"]
    spread = data["test_y"].std(axis=0)
    if settings["training"]["fresh_noise"]:
        data = {**data, "test_y": split_noise(problem, data, "test", seed)[0]}
    truth, y, samples, metrics = draw_posteriors(model, data, settings)
    arrays = describe(problem)
    parts = [
        calibration(truth, samples, seed),
        (calibration_of_many(model, data, settings["evaluation"], seed), {}),
        resimulation(problem, samples, y, spread),
        contraction(problem, samples),
        (latency(model, y, seed), {}),
    ]
    if reference is not None:
        parts.append(against_reference(model, problem, reference, metrics["samples_per_second"], settings))
    for part in parts:
        metrics |= part[0]
        arrays |= part[1]
    return plain(metrics), arrays
