"""Application 3: an image flow that knows classes: generate each, classify by Bayes' rule, notice images of no class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.special import softmax

from flowpkg.applications.images import NORMAL, Trained, judge_anomalies, odd_groups
from flowpkg.diagnostics.classification import accuracy, expected_calibration_error, label_nll, reliability
from flowpkg.diagnostics.reference_classifiers import reference_predictions
from flowpkg.metrics import plain
from flowpkg.partition import Partition
from flowpkg.seeds import generator

FIGURES = (
    "class_samples",
    "class_latents",
    "confusion",
    "reliability",
    "label_transfer",
    "least_likely_images",
    "bits_over_training",
)
ANOMALY_FIGURES = ("image_scores", "image_roc")
SHOWN = 10


def partition(widths: Mapping[str, int], settings: Mapping[str, Any]) -> tuple[Partition, int]:
    """Return the partition, pixels to labels y and latent z, and the width of the context."""
    if settings["flow"]["kind"] == "conditional":
        return Partition(x=widths["x"]), widths["y"]
    return Partition(x=widths["x"], y=widths["y"]), 0


def figures(settings: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the figures of a run with these settings."""
    anomalies = settings["problem"].get("anomalies") or settings["evaluation"]["probes"]
    return (*FIGURES, *(ANOMALY_FIGURES if anomalies else ()))


def evaluate(model, data: Mapping[str, Any], settings: Mapping[str, Any]):
    """Measure classification, and gather class-conditional images, on held-out images.

    Args:
        model: the trained `FlowModel`, which knows labels.
        data: as application 2, with one-hot `train_y` and `test_y`.
        settings: the run's complete settings.

    Returns:
        Metrics (see config/README.md for each key) and the arrays that the figures are drawn from.
    """
    trained = Trained(model, data, settings)
    seed = trained.seed
    test, label = np.asarray(data["test_x"]), np.asarray(data["test_y"]).argmax(axis=1)
    described = trained.describe(test)
    logit = described.log_prob + np.log(trained.priors)
    probability = softmax(logit, axis=1)
    calibrated = softmax(logit / float(trained.fitted["label_temperature"]), axis=1)
    hit = accuracy(probability, label)
    metrics: dict[str, Any] = {
        "heldout_rows": len(test),
        "accuracy": hit.value,
        "accuracy_se": hit.standard_error,
        "label_temperature": float(trained.fitted["label_temperature"]),
    }
    for name, value in (("", probability), ("_calibrated", calibrated)):
        ece = expected_calibration_error(value, label, rng=generator(seed, "ece"))
        nll = label_nll(logit if not name else logit / metrics["label_temperature"], label)
        metrics |= {
            f"ece{name}": ece.value,
            f"ece{name}_se": ece.standard_error,
            f"nll{name}": nll.value,
            f"nll{name}_se": nll.standard_error,
        }
    train_label = np.asarray(data["train_y"]).argmax(axis=1)
    guesses = reference_predictions(data["train_x"], train_label, test, generator(seed, "reference classifiers"))
    for method, guess in guesses.items():
        share = float(np.mean(guess == label))
        metrics[f"accuracy_{method}"] = share
        metrics[f"accuracy_{method}_se"] = np.sqrt(share * (1.0 - share) / len(label))
    metrics |= trained.bits(described)
    metrics["round_trip_max_abs"], _ = trained.round_trip(test[:64])
    names = [str(name) for name in data["image"]["classes"]]
    arrays = _pictures(trained, test, label, described, probability) | {
        "image_shape": np.array(trained.shape),
        "step": np.array(trained.step),
        "test_bits": np.array(metrics["bits_per_dim"]["test"]),
        "class_names": np.array(names),
        "confusion": np.bincount(label * len(names) + probability.argmax(axis=1), minlength=len(names) ** 2).reshape(
            len(names), len(names)
        ),
    }
    curve = reliability(calibrated, label)
    arrays |= {
        "reliability_confidence": curve.confidence,
        "reliability_accuracy": curve.accuracy,
        "reliability_count": curve.count,
    }
    groups = odd_groups(data, trained)
    if groups:
        odd = {kind: trained.describe(images) for kind, images in groups.items()}
        more_metrics, more_arrays = judge_anomalies(trained, data, described, odd, {NORMAL: test, **groups})
        metrics, arrays = metrics | more_metrics, arrays | more_arrays
        for kind in odd:
            arrays[f"images_{kind}"] = np.asarray(groups[kind][:SHOWN])
    return plain(metrics), arrays


def _pictures(trained: Trained, test, label, described, probability) -> dict[str, np.ndarray]:
    model, classes = trained.model, trained.model.known_dim
    samples = np.stack([trained.sample(SHOWN, "class samples", k, label=k) for k in range(classes)])
    # One image of each class in turn, until a figure's rows are full.
    order = np.argsort([np.sum(label[:i] == label[i]) for i in range(len(label))], kind="stable")
    chosen = order[: max(classes, 6)]
    z = trained.encoder(test[chosen]).z
    transferred = [trained.decode(z, np.tile(np.eye(classes)[k], (len(z), 1))) for k in range(classes)]
    order = np.argsort(-described.statistics.nll, kind="stable")[: 2 * SHOWN]
    arrays = {
        "class_samples": samples,
        "transfer_source": test[chosen],
        "transfer_label": label[chosen],
        "transfer_images": np.stack(transferred, axis=1),
        "heldout_plane": described.plane,
        "heldout_label": label,
        "least_likely": test[order],
        "least_likely_label": label[order],
        "least_likely_predicted": probability[order].argmax(axis=1),
        "least_likely_bits": trained.nll_bits(described)[order],
        "heldout_bits": trained.nll_bits(described),
    }
    if model.partition.y:
        found = [
            np.asarray(model.encode(trained.encoder.dequantised(test[i : i + trained.encoder.chunk])).y)
            for i in range(0, len(test), trained.encoder.chunk)
        ]
        found = np.concatenate(found)
        # The plane in which the label vectors of the classes lie farthest apart: leading components of what was found.
        _, _, right = np.linalg.svd(found - found.mean(axis=0), full_matrices=False)
        arrays["heldout_label_plane"] = (found - found.mean(axis=0)) @ right[:2].T
    return arrays
