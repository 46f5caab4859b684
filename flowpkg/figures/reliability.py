"""Accuracy against confidence of the class probabilities."""

import matplotlib.pyplot as plt
import numpy as np

from flowpkg.figures.style import ROLES


def draw(evaluation, options):
    """Draw accuracy against confidence with 95 % binomial bars, and how many points lie in each bin."""
    arrays, metrics = evaluation.arrays, evaluation.metrics
    confidence, accuracy = arrays["reliability_confidence"], arrays["reliability_accuracy"]
    count = arrays["reliability_count"]
    # Wilson's interval: sensible at accuracies of 0 and 1.
    square = 1.96**2 / count
    centre = (accuracy + square / 2) / (1 + square)
    reach = np.sqrt(accuracy * (1 - accuracy) * square + square**2 / 4) / (1 + square)
    bars = np.clip([accuracy - (centre - reach), centre + reach - accuracy], 0, None)
    figure, (top, bottom) = plt.subplots(2, 1, figsize=(4.2, 4.4), sharex=True, height_ratios=(3, 1))
    top.plot([0, 1], [0, 1], color=ROLES["reference"], ls="--", lw=0.9, label="calibrated")
    top.errorbar(confidence, accuracy, bars, fmt="o", ms=4, color=ROLES["data"], capsize=2, label="flow, 95 % interval")
    top.set(ylabel="accuracy", ylim=(-0.03, 1.03), xlim=(0, 1.03))
    top.set_title(
        f"accuracy {metrics['accuracy']:.4f} (Bayes {metrics['bayes_accuracy']:.4f}), ECE {metrics['ece']:.4f}"
    )
    top.legend(loc="upper left")
    bottom.bar(confidence, count, width=0.03, color=ROLES["data"])
    bottom.set(xlabel="confidence (probability of the most probable class)", ylabel="points", yscale="log")
    bottom.set_ylim(0.5, None)
    return figure
