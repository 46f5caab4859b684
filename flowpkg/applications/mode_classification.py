"""Application 4: which class does a point belong to, and which points belong to a class, against exact mixtures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.special import softmax

from flowpkg.diagnostics.classification import accuracy, expected_calibration_error, reliability
from flowpkg.diagnostics.two_sample import c2st
from flowpkg.partition import Partition
from flowpkg.problems import load_problem
from flowpkg.seeds import generator, tensorflow_seed

FIGURES = (
    "labels_and_latent",
    "conditional_samples",
    "class_probabilities",
    "reliability",
    "latent_regions",
    "training_curves",
)


def partition(widths: Mapping[str, int], settings: Mapping[str, Any]) -> tuple[Partition, int]:
    """Return the partition, x with padding e to labels y and latent z, and the width of the context."""
    if settings["flow"]["kind"] == "conditional":
        return Partition(x=widths["x"]), widths["y"]
    return Partition(x=widths["x"], e=widths["e"], y=widths["y"]), 0


def figures(settings: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the figures of a run with these settings."""
    return FIGURES


def evaluate(model, data: Mapping[str, np.ndarray], settings: Mapping[str, Any]):
    """Measure classification and conditional samples on held-out data.

    Args:
        model: the trained `FlowModel`.
        data: `test_x [n, 2]` and one-hot `test_y [n, K]`, and `test_e` for an invertible flow.
        settings: the run's complete settings.

    Returns:
        Metrics (see config/README.md for each key) and the arrays that the figures are drawn from.
    """
    options, seed = settings["evaluation"], settings["seed"]
    problem = load_problem(settings["problem"])
    x, label = data["test_x"], data["test_y"].argmax(axis=1)
    priors, rows = problem.priors, np.arange(len(x))

    def classified(points):
        likelihood = model.label_log_prob(points, draws=options["draws"], seed=tensorflow_seed(seed, "padding"))
        return likelihood, softmax(likelihood + np.log(priors), axis=1)

    log_prob, probability = classified(x)
    true_log_prob = problem.label_log_prob(x)
    bayes = softmax(true_log_prob + np.log(priors), axis=1)
    joint = log_prob[rows, label] + np.log(priors[label])
    gap = true_log_prob[rows, label] + np.log(priors[label]) - joint
    hit, best = accuracy(probability, label), accuracy(bayes, label)
    ece = expected_calibration_error(probability, label, rng=generator(seed, "ece"))
    metrics = {
        "heldout_rows": len(x),
        "accuracy": hit.value,
        "accuracy_se": hit.standard_error,
        "bayes_accuracy": best.value,
        "ece": ece.value,
        "ece_se": ece.standard_error,
        "nll_nats": -joint.mean(),
        "nll_nats_se": joint.std(ddof=1) / np.sqrt(len(x)),
        "kl_nats": gap.mean(),
        "kl_nats_se": gap.std(ddof=1) / np.sqrt(len(x)),
    }
    count = options["c2st_samples"]
    sampled, true, scores, errors, outside = [], [], [], [], []
    for k in range(problem.classes):
        drawn = _numpy(model.sample(max(count, 20_000), y=k, seed=tensorflow_seed(seed, "conditional", k)).x)
        truth = problem.sample_label(k, count, generator(seed, "conditional truth", k))
        scores.append(c2st(truth, drawn[:count], generator(seed, "c2st", k)))
        mode, distance = problem.nearest_mode(drawn)
        outside.append(distance > 4.0)
        exact = (problem.mode_label == k) / (problem.mode_label == k).sum()
        errors.append(np.abs(np.bincount(mode, minlength=len(problem.centres)) / len(drawn) - exact).max())
        sampled.append(drawn[:2000])
        true.append(truth[:2000])
    worst = max(scores)
    outside = np.concatenate(outside)
    metrics |= {
        "conditional_c2st": worst.value,
        "conditional_c2st_se": worst.standard_error,
        "mode_weight_max_abs_error": max(errors),
        "mode_weight_max_abs_error_se": 0.5 / np.sqrt(20_000),
        "out_of_mode_fraction": outside.mean(),
        "out_of_mode_fraction_true": np.exp(-8.0),
    }
    if not model.context_dim:
        predicted = _numpy(model.predict(x))
        metrics["predicted_label_rmse"] = np.sqrt(np.mean((predicted - data["test_y"]) ** 2))
    outputs = model.encode(x, data.get("test_e") if model.partition.e else None, data["test_y"])
    axes = [np.linspace(low, high, options["grid"]) for low, high in problem.view()]
    grid = np.stack(np.meshgrid(*axes), axis=-1)
    flat = grid.reshape(-1, 2)
    shape = (*grid.shape[:2], problem.classes)
    curve = reliability(probability, label)
    ticks = np.linspace(-3.0, 3.0, 121)
    latent = np.zeros((len(ticks) ** 2, model.partition.z))
    latent[:, :2] = np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2)
    regions = [
        problem.nearest_mode(_numpy(model.decode(latent, np.tile(np.eye(problem.classes)[k], (len(latent), 1))).x))[0]
        for k in range(problem.classes)
    ]
    arrays = {
        "heldout_x": x[:5000],
        "heldout_label": label[:5000],
        "heldout_z": _numpy(outputs.z)[:5000],
        "sampled_x": np.stack([rows[:count] for rows in sampled]),
        "true_x": np.stack([rows[:count] for rows in true]),
        "grid_x1": axes[0],
        "grid_x2": axes[1],
        "grid_probability": classified(flat)[1].reshape(shape),
        "grid_bayes": softmax(problem.label_log_prob(flat) + np.log(priors), axis=1).reshape(shape),
        "reliability_confidence": curve.confidence,
        "reliability_accuracy": curve.accuracy,
        "reliability_count": curve.count,
        "region_z1": ticks,
        "region_z2": ticks,
        "region_mode": np.stack(regions).reshape(problem.classes, len(ticks), len(ticks)),
        "centres": problem.centres,
        "mode_label": problem.mode_label,
        "names": np.array(problem.names),
    }
    return {key: float(value) for key, value in metrics.items()}, arrays


def _numpy(value) -> np.ndarray:
    return np.asarray(value, np.float64)
