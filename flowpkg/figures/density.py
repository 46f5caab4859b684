"""The learned density beside the exact one."""

import matplotlib.pyplot as plt
import numpy as np

from flowpkg.figures.style import WIDTH, axis_names, name_axes


def draw_density(ax, x1, x2, log_prob, top):
    """Draw a density as an image; `top` is the upper end of the colour scale."""
    extent = (x1[0], x1[-1], x2[0], x2[-1])
    image = ax.imshow(np.exp(log_prob), origin="lower", extent=extent, vmin=0, vmax=top, interpolation="bilinear")
    ax.set_aspect("equal" if 0.4 < (extent[1] - extent[0]) / (extent[3] - extent[2]) < 2.5 else "auto")
    return image


def draw(evaluation, options):
    """Draw the exact density (left, where known) and the learned one (right) on one colour scale."""
    arrays = evaluation.arrays
    panels = [("Exact density", "grid_true_log_prob"), ("Learned density", "grid_log_prob")]
    panels = [(title, arrays[key]) for title, key in panels if key in arrays]
    top = max(float(np.exp(values).max()) for _, values in panels)
    figure, axes = plt.subplots(1, len(panels), figsize=(WIDTH, 3.2), squeeze=False)
    for ax, (title, values) in zip(axes[0], panels):
        image = draw_density(ax, arrays["grid_x1"], arrays["grid_x2"], values, top)
        name_axes(ax, axis_names(evaluation), title)
    figure.colorbar(image, ax=axes[0].tolist(), label="probability density", shrink=0.85)
    return figure
