"""The points of lowest density, in data and in latent space."""

import matplotlib.pyplot as plt
import numpy as np

from flowpkg.figures.style import (
    LATENT_NAMES,
    ROLES,
    WIDTH,
    axis_names,
    data_limits,
    latent_limits,
    name_axes,
    scatter,
    unit_circles,
)


def draw(evaluation, options):
    """Highlight the 1 % of held-out points with the lowest learned density on both sides."""
    arrays = evaluation.arrays
    x, z = (arrays[name][: options["points"]] for name in ("heldout_x", "heldout_z"))
    lowest = np.argsort(arrays["heldout_log_prob"][: options["points"]], kind="stable")[: max(1, len(x) // 100)]
    figure, (left, right) = plt.subplots(1, 2, figsize=(WIDTH, 3.5))
    for ax, points, role in ((left, x, "data"), (right, z, "latent")):
        scatter(ax, points, color=ROLES[role], alpha=0.4)
        scatter(ax, points[lowest], color=ROLES["outlier"], s=16, zorder=5, label="lowest 1 % of density")
    data_limits(left, x)
    name_axes(left, axis_names(evaluation), f"Held-out data ({len(x):,} points)")
    unit_circles(right)
    latent_limits(right, z)
    name_axes(right, LATENT_NAMES, "The same points in latent space")
    handles, labels = left.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center")
    return figure
