"""Application 7: velocities from noisy seismograms or dispersion curves; the noise is an input of the flow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from flowpkg.applications.inverse_checks import FEW, against_reference, contraction, describe, latency, resimulation
from flowpkg.applications.noise_levels import spread_at_levels
from flowpkg.applications.posterior_checks import (
    SHARED_FIGURES,
    calibration,
    calibration_of_many,
    draw_posteriors,
)
from flowpkg.applications.posterior_checks import partition as shared_partition
from flowpkg.errors import SettingsError
from flowpkg.metrics import plain
from flowpkg.problems import load_problem
from flowpkg.seeds import generator

__all__ = ["evaluate", "figures", "partition"]

OWN = ("velocity_profile", "profile_spread", "noise_recovery", "reference_marginals", "posterior_pairs")


def partition(widths: Mapping[str, int], settings: Mapping[str, Any]):
    """Return the partition and the width of the context, as `posterior_checks.partition`.

    Raises:
        SettingsError: an invertible flow for data that hold the noise level, which x and e do not determine.
    """
    kind = settings["flow"]["kind"]
    if settings["problem"]["name"] == "seismograms_any_noise" and kind != "conditional":
        raise SettingsError(f"flow.kind: expected conditional for problem seismograms_any_noise; got {kind}")
    return shared_partition(widths, settings)


def figures(settings: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the figures of a run with these settings."""
    if settings["problem"]["name"] == "seismograms_any_noise":
        return ("noise_levels", *SHARED_FIGURES)
    data = "data_fit" if settings["problem"]["name"] == "dispersion" else "traces"
    return (OWN[0], data, *OWN[1:], *SHARED_FIGURES)


def evaluate(
    model,
    data: Mapping[str, np.ndarray],
    settings: Mapping[str, Any],
    *,
    reference: Mapping[str, Any] | None = None,
):
    """Measure posteriors on held-out observations.

    Args:
        model: the trained `FlowModel`.
        data: `test_x [n, P]`, `test_y [n, M]` and the noise in them, `test_e [n, M]`.
        settings: the run's complete settings.
        reference: what `flowpkg reference` wrote; without it nothing is compared with MCMC.

    Returns:
        Metrics (see config/README.md for each key) and the arrays that the figures are drawn from.
    """
    problem, seed = load_problem(settings["problem"]), settings["seed"]
    truth, y, samples, metrics = draw_posteriors(model, data, settings)
    arrays = describe(problem)
    if getattr(problem, "any_noise", False):
        parts = [
            calibration(truth, samples, seed),
            (calibration_of_many(model, data, settings["evaluation"], seed), {}),
            contraction(problem, samples),
            spread_at_levels(model, problem, data["test_x"], seed),
            (latency(model, y, seed), {}),
        ]
        for part in parts:
            metrics |= part[0]
            arrays |= part[1]
        return plain(metrics), arrays
    spread = (data["test_y"] - problem.shaped_noise(data["test_e"])).std(axis=0)
    parts = [
        calibration(truth, samples, seed),
        (calibration_of_many(model, data, settings["evaluation"], seed), {}),
        resimulation(problem, samples, y, spread),
        contraction(problem, samples),
        _noise(model, problem, samples, y, data["test_e"], seed),
        (latency(model, y, seed), {}),
    ]
    if reference is not None:
        parts.append(against_reference(model, problem, reference, metrics["samples_per_second"], settings))
    for part in parts:
        metrics |= part[0]
        arrays |= part[1]
    return plain(metrics), arrays


def _noise(model, problem, samples, y, drawn, seed):
    """Compare the noise that posterior samples leave of the data with the noise that was drawn for them.

    An invertible flow also decodes a noise e of its own: if the map were exact, simulate(x) + noise(e) would be y.
    """
    few = slice(0, min(20, len(y)))
    left = problem.recovered_noise(np.asarray(samples[few, :FEW], np.float64), y[few, None])
    mean, drawn = left.mean(axis=1), drawn[few]
    metrics = {
        "noise_correlation": np.corrcoef(mean.ravel(), drawn.ravel())[0, 1],
        "noise_rms": np.sqrt((left**2).mean()),
    }
    arrays = {"noise_drawn": drawn, "noise_mean": mean, "noise_sd": left.std(axis=1, ddof=1)}
    if not model.context_dim:
        z = generator(seed, "decoded noise").standard_normal((len(y), model.partition.z))
        x, e = (np.asarray(part, np.float64) for part in model.decode(z, y))
        gap = problem.recovered_noise(x, y) - e
        metrics |= {"noise_consistency_rms": np.sqrt((gap**2).mean()), "decoded_noise_sd": e.std()}
        arrays |= {"noise_decoded": e[few], "noise_left": problem.recovered_noise(x, y)[few]}
    return metrics, arrays
