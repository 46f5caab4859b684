"""The probability of each label over the plane, learned and exact."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.patches import Patch

from flowpkg.figures.style import WIDTH, class_colour, name_axes, plane_names

SOFT = 0.75  # weight of the class colours against white


def mixed_colours(probability: np.ndarray) -> np.ndarray:
    """Return the probability-weighted mean of the class colours, softened with white."""
    colours = np.array([to_rgb(class_colour(k)) for k in range(probability.shape[-1])])
    return np.clip(SOFT * (probability @ colours) + 1.0 - SOFT, 0.0, 1.0)


def draw(evaluation, options):
    """Draw learned (left) and exact (middle) label probabilities, and their largest difference (right)."""
    arrays = evaluation.arrays
    x1, x2 = arrays["grid_x1"], arrays["grid_x2"]
    learned, exact = arrays["grid_probability"], arrays["grid_bayes"]
    count = learned.shape[-1]
    figure, axes = plt.subplots(1, 3, figsize=(WIDTH, 2.9), sharey=True)
    where = {"origin": "lower", "extent": (x1[0], x1[-1], x2[0], x2[-1]), "interpolation": "nearest"}
    names = plane_names(evaluation)
    for ax, values, title in zip(axes, (learned, exact), ("Learned", "Exact (Bayes)")):
        ax.imshow(mixed_colours(values), **where)
        name_axes(ax, names, title)
    difference = np.abs(learned - exact).max(axis=-1)
    image = axes[2].imshow(difference, vmin=0, vmax=max(float(difference.max()), 1e-3), cmap="magma_r", **where)
    name_axes(axes[2], names, "Largest difference")
    for ax in axes[1:]:
        ax.set_ylabel("")
    bar = figure.colorbar(image, ax=axes[2], location="right", shrink=0.7, pad=0.03)
    bar.set_label("|difference| of probability", fontsize=8)
    mixed = mixed_colours(np.eye(count))
    patches = [Patch(facecolor=mixed[k], edgecolor="0.4", lw=0.5, label=f"label {k}") for k in range(count)]
    figure.legend(handles=patches, loc="outside lower center", ncols=min(count, 8), columnspacing=1.0)
    return figure
