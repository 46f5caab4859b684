"""Map of class probabilities over the plane beside the exact one."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.patches import Patch

from flowpkg.figures.style import CLASS_COLOURS, WIDTH, axis_names, name_axes


def draw(evaluation, options):
    """Draw the learned map, the exact one, and the largest absolute difference over classes."""
    arrays = evaluation.arrays
    learned, exact = arrays["grid_probability"], arrays["grid_bayes"]
    classes = learned.shape[-1]
    colours = np.array([to_rgb(CLASS_COLOURS[k % len(CLASS_COLOURS)]) for k in range(classes)])
    x1, x2 = arrays["grid_x1"], arrays["grid_x2"]
    extent = (x1[0], x1[-1], x2[0], x2[-1])
    figure, axes = plt.subplots(1, 3, figsize=(WIDTH, 2.9), sharey=True)
    for ax, values, title in ((axes[0], learned, "Learned"), (axes[1], exact, "Exact (Bayes)")):
        ax.imshow(np.clip(values @ (0.25 + 0.75 * colours), 0, 1), origin="lower", extent=extent)
        for centre, k in zip(arrays["centres"], arrays["mode_label"], strict=True):
            ax.text(*centre, str(k), ha="center", va="center", fontsize=7)
        name_axes(ax, axis_names(evaluation), title)
    image = axes[2].imshow(
        np.abs(learned - exact).max(axis=-1), origin="lower", extent=extent, vmin=0, vmax=1, cmap="Greys"
    )
    name_axes(axes[2], axis_names(evaluation), "Largest difference")
    figure.colorbar(image, ax=axes[2], label="|probability difference|", shrink=0.7)
    for ax in axes:
        ax.label_outer()
    handles = [Patch(color=0.25 + 0.75 * colours[k], label=str(k)) for k in range(classes)]
    figure.legend(handles=handles, title="class", loc="outside lower center", ncols=classes)
    return figure
