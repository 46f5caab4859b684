"""Application 1: map a distribution to a standard normal, and judge the map against the truth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from flowpkg.diagnostics.anomaly import auroc, reference_scores, roc_curve
from flowpkg.diagnostics.two_sample import c2st, energy_distance_null, energy_distance_to_normal
from flowpkg.partition import Partition
from flowpkg.problems import load_problem
from flowpkg.seeds import generator, tensorflow_seed

POINT_FIGURES = (
    "data_and_latent",
    "generated",
    "density",
    "latent_grid",
    "lowest_density",
    "log_prob",
    "training_curves",
)
TABLE_FIGURES = ("latent_scatter", "training_curves")
ANOMALY_FIGURES = ("latent_scatter", "score_distributions", "roc", "training_curves")


class Model(Protocol):
    """What an evaluation needs of a `FlowModel`."""

    def encode(self, x): ...
    def decode(self, z): ...
    def log_prob(self, x): ...
    def sample(self, n, *, temperature, seed): ...


def partition(widths: Mapping[str, int], settings: Mapping[str, Any]) -> tuple[Partition, int]:
    """Return the partition, all of x mapped to z, and the width of the context, 0."""
    return Partition(x=widths["x"]), 0


def figures(settings: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the figures of a run with these settings."""
    if settings["problem"]["name"] != "table":
        return POINT_FIGURES
    return ANOMALY_FIGURES if settings["problem"]["anomalies"] else TABLE_FIGURES


def evaluate(
    model: Model, data: Mapping[str, np.ndarray], settings: Mapping[str, Any]
) -> tuple[dict[str, float], dict[str, np.ndarray]]:
    """Measure a trained flow on held-out data.

    Args:
        model: the trained flow.
        data: `train_x`, `validation_x`, `test_x`, and `anomaly_x` for tables, each `[n, N]`.
        settings: the run's complete settings.

    Returns:
        Metrics (see config/README.md for each key) and the arrays that the figures are drawn from.
    """
    options, seed = settings["evaluation"], settings["seed"]
    test = data["test_x"]
    log_prob = _numpy(model.log_prob(test))
    latent = _numpy(model.encode(test).z)
    scale = data["train_x"].std(axis=0)
    round_trip = np.abs(_numpy(model.decode(latent).x) - test) / scale
    covariance = np.cov(latent, rowvar=False)
    energy = latent[: options["energy_samples"]]
    null = energy_distance_null(
        len(energy), latent.shape[1], generator(seed, "energy null"), options["energy_replicates"]
    )
    generated = _numpy(model.sample(max(len(test), 2), temperature=1.0, seed=tensorflow_seed(seed, "generated")).x)
    limit = options["c2st_samples"]
    two_sample = c2st(test[:limit], generated[:limit], generator(seed, "c2st"))
    metrics = {
        "heldout_rows": len(test),
        "nll_nats": -log_prob.mean(),
        "nll_nats_se": log_prob.std(ddof=1) / np.sqrt(len(test)),
        "round_trip_max_abs": round_trip.max(),
        "latent_mean_max_abs": np.abs(latent.mean(axis=0)).max(),
        "latent_cov_max_abs_error": np.abs(covariance - np.eye(latent.shape[1])).max(),
        "latent_energy_distance": energy_distance_to_normal(energy),
        "latent_energy_distance_null_q95": np.quantile(null, 0.95),
        "c2st": two_sample.value,
        "c2st_se": two_sample.standard_error,
        "c2st_rows": min(limit, len(test)),
    }
    arrays = {"heldout_x": test, "heldout_z": latent, "heldout_log_prob": log_prob, "generated_x": generated}
    if settings["problem"]["name"] == "table":
        more_metrics, more_arrays = _evaluate_table(model, data, log_prob, latent, settings)
    else:
        more_metrics, more_arrays = _evaluate_points(model, test, log_prob, settings)
    metrics, arrays = metrics | more_metrics, arrays | more_arrays
    return {key: float(value) for key, value in metrics.items()}, arrays


def _evaluate_points(model, test, log_prob, settings):
    problem = load_problem(settings["problem"])
    truth = problem.log_prob(test)
    gap = truth - log_prob
    metrics = {
        "entropy_nats": problem.entropy_nats(),
        "kl_nats": gap.mean(),
        "kl_nats_se": gap.std(ddof=1) / np.sqrt(len(gap)),
        "log_prob_max_abs_error_p99": np.quantile(np.abs(gap), 0.99),
    }
    axes = [np.linspace(low, high, settings["evaluation"]["grid"]) for low, high in problem.view()]
    grid = np.stack(np.meshgrid(*axes), axis=-1)
    flat = grid.reshape(-1, 2)
    ticks, fine = np.linspace(-3.0, 3.0, 13), np.linspace(-3.0, 3.0, 241)
    along = [np.stack([np.full_like(fine, tick), fine], axis=-1) for tick in ticks]
    lattice = np.stack(along + [line[:, ::-1] for line in along])
    arrays = {
        "heldout_true_log_prob": truth,
        "grid_x1": axes[0],
        "grid_x2": axes[1],
        "grid_log_prob": _numpy(model.log_prob(flat)).reshape(grid.shape[:2]),
        "grid_true_log_prob": problem.log_prob(flat).reshape(grid.shape[:2]),
        "lattice_z": lattice,
        "lattice_x": _numpy(model.decode(lattice.reshape(-1, 2)).x).reshape(lattice.shape),
        "names": np.array(problem.names),
    }
    return metrics, arrays


def _evaluate_table(model, data, log_prob, latent, settings):
    _, vectors = np.linalg.eigh(np.cov(latent, rowvar=False))
    components = vectors[:, ::-1][:, :2]
    components *= np.sign(components[np.abs(components).argmax(axis=0), [0, 1]])
    arrays = {"heldout_pc": latent @ components}
    if not len(data["anomaly_x"]):
        return {}, arrays | {"anomaly_pc": np.zeros((0, 2))}
    seed, replicates = settings["seed"], settings["evaluation"]["bootstrap_replicates"]
    anomaly = data["anomaly_x"]
    # Infinity cannot be ranked or drawn; the lowest float32 log-density keeps an impossible row the most anomalous.
    floor = np.finfo(np.float32).min
    scores = {"heldout": -log_prob, "anomaly": -np.nan_to_num(_numpy(model.log_prob(anomaly)), nan=floor, neginf=floor)}
    all_scores = {"flow": scores} | reference_scores(
        data["train_x"], {"heldout": data["test_x"], "anomaly": anomaly}, generator(seed, "reference detectors")
    )
    metrics = {"anomaly_rows": len(anomaly)}
    for method, groups in all_scores.items():
        area = auroc(groups["heldout"], groups["anomaly"], generator(seed, "auroc", method), replicates=replicates)
        key = "auroc_anomaly" if method == "flow" else f"auroc_{method}"
        metrics |= {key: area.value, f"{key}_low": area.low, f"{key}_high": area.high}
        arrays[f"roc_{method}_fpr"], arrays[f"roc_{method}_tpr"] = roc_curve(groups["heldout"], groups["anomaly"])
    arrays |= {
        "anomaly_pc": _numpy(model.encode(anomaly).z) @ components,
        "train_score": -_numpy(model.log_prob(data["train_x"])),
        "heldout_score": scores["heldout"],
        "anomaly_score": scores["anomaly"],
    }
    return metrics, arrays


def _numpy(value) -> np.ndarray:
    return np.asarray(value, np.float64)
