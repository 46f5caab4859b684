"""Bits per dimension over training."""

import matplotlib.pyplot as plt
import numpy as np

from flowpkg.figures.style import ROLES, WIDTH


def draw(evaluation, options):
    """Draw bits per dimension of training batches and of the validation split; the held-out value as a line."""
    history, arrays = evaluation.history, evaluation.arrays
    to_bits = 1.0 / (np.prod(arrays["image_shape"]) * np.log(2.0))
    offset = np.log2(float(arrays["step"]))
    train, validation = (history[f"{name}_loss"] * to_bits - offset for name in ("train", "validation"))
    figure, ax = plt.subplots(figsize=(WIDTH, 3.0))
    ax.plot(history["step"], train, color=ROLES["data"], label="training (mean since the last point)")
    ax.plot(history["step"], validation, color=ROLES["generated"], marker="o", ms=2.5, label="validation")
    held = evaluation.metrics["bits_per_dim"]["test"]
    ax.axhline(held, color=ROLES["reference"], ls="--", lw=0.9, label=f"held-out images, model kept: {held:.3f}")
    # The first values tower over all others.
    high = np.quantile(np.concatenate([train[1:], validation[1:]]), 0.97) if len(train) > 3 else None
    low = min(train.min(), validation.min(), held)
    if high is not None and high > low:
        ax.set_ylim(low - 0.06 * (high - low), high + 0.1 * (high - low))
    ax.set(xlabel="optimiser step", ylabel="bits per dimension")
    ax.legend()
    return figure
