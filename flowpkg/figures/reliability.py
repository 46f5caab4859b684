"""Whether the label probabilities mean what they say."""

import matplotlib.pyplot as plt
import numpy as np

from flowpkg.figures.style import ROLES


def wilson_interval(rate, count):
    """Return the ends of Wilson's 95 % interval of a binomial rate."""
    z = 1.959964
    scale = 1.0 + z**2 / count
    middle = (rate + z**2 / (2.0 * count)) / scale
    half = z * np.sqrt(rate * (1.0 - rate) / count + z**2 / (4.0 * count**2)) / scale
    return middle - half, middle + half


def draw(evaluation, options):
    """Draw accuracy against confidence with 95 % binomial bars, and the number of points in each bin below."""
    arrays, metrics = evaluation.arrays, evaluation.metrics
    count = np.asarray(arrays["reliability_count"], float)
    filled = count > 0
    confidence = arrays["reliability_confidence"][filled]
    accuracy, count = arrays["reliability_accuracy"][filled], count[filled]
    low, high = wilson_interval(accuracy, count)
    figure, (ax, below) = plt.subplots(2, 1, figsize=(4.2, 4.8), sharex=True, height_ratios=[3.2, 1])
    ax.plot([0, 1], [0, 1], color="0.7", lw=0.8, label="calibrated")
    bars = np.clip([accuracy - low, high - accuracy], 0.0, None)
    ax.errorbar(
        confidence, accuracy, yerr=bars, fmt="o", ms=4, color=ROLES["data"], capsize=2, lw=1, label="flow, 95 % bars"
    )
    ax.set(ylabel="accuracy (fraction correct)", ylim=(-0.03, 1.03), title="Reliability of the label probabilities")
    ax.legend(loc="lower right" if np.mean(accuracy) > 0.4 else "upper left")
    labels = {"accuracy": "accuracy", "bayes_accuracy": "best possible"}
    # Images: what is drawn was calibrated on validation images.
    labels["ece_calibrated" if "ece_calibrated" in metrics else "ece"] = "calibration error"
    text = "\n".join(f"{label} {metrics[key]:.4f}" for key, label in labels.items() if key in metrics)
    ax.text(0.03, 0.97, text, transform=ax.transAxes, va="top", fontsize=8)
    width = 0.8 / max(len(arrays["reliability_count"]), 10)
    below.bar(confidence, count, width=width, color=ROLES["data"])
    below.set(xlabel="confidence (largest label probability)", ylabel="points", xlim=(-0.03, 1.04), yscale="log")
    below.set_ylim(0.7, 3.0 * max(float(count.max(initial=1.0)), 1.0))
    figure.align_ylabels()
    return figure
