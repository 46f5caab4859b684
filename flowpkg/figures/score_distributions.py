"""Histograms of the anomaly score."""

import matplotlib.pyplot as plt
import numpy as np

from flowpkg.figures.style import ROLES, WIDTH


def draw(evaluation, options):
    """Draw the distribution of the negative log-density of training, held-out and anomalous rows."""
    arrays = evaluation.arrays
    groups = [("training", "train_score", "reference"), ("held-out normal", "heldout_score", "data")]
    groups.append(("anomaly", "anomaly_score", "outlier"))
    everything = np.concatenate([arrays[key] for _, key, _ in groups])
    # Scores far above the bulk go into the last bin, marked as such; they would flatten all the rest.
    low, high = everything.min(), np.quantile(everything, 0.97)
    edges = np.linspace(low, high, 36)
    figure, ax = plt.subplots(figsize=(WIDTH, 2.9))
    for label, key, role in groups:
        values = np.clip(arrays[key], low, high)
        weights = np.full(len(values), 100.0 / len(values))
        ax.hist(values, edges, weights=weights, histtype="stepfilled", color=ROLES[role], alpha=0.25)
        ax.hist(
            values, edges, weights=weights, histtype="step", color=ROLES[role], lw=1.3, label=f"{label} ({len(values)})"
        )
    ax.set(xlabel="anomaly score: negative log-density (nats); the last bin holds all above", ylabel="rows (%)")
    ax.legend()
    return figure
