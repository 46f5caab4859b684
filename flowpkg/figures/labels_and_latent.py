"""Labelled points and the latents that the flow maps them to."""

import matplotlib.pyplot as plt

from flowpkg.figures.style import (
    CLASS_COLOURS,
    LATENT_NAMES,
    WIDTH,
    axis_names,
    data_limits,
    latent_limits,
    name_axes,
    scatter,
    unit_circles,
)


def draw(evaluation, options):
    """Draw held-out points (left) and their latents (right), coloured by label."""
    arrays = evaluation.arrays
    count = options["points"]
    x, z, label = (arrays[key][:count] for key in ("heldout_x", "heldout_z", "heldout_label"))
    figure, (left, right) = plt.subplots(1, 2, figsize=(WIDTH, 3.5))
    for k in range(int(label.max()) + 1):
        colour = CLASS_COLOURS[k % len(CLASS_COLOURS)]
        scatter(left, x[label == k], color=colour, label=f"{k}")
        scatter(right, z[label == k], color=colour)
    unit_circles(right)
    data_limits(left, x)
    latent_limits(right, z[:, :2])
    name_axes(left, axis_names(evaluation), f"Held-out points (n = {len(x)})")
    name_axes(right, LATENT_NAMES, "Their latents")
    left.legend(title="label", loc="center", markerscale=4, ncols=2 if label.max() > 3 else 1)
    return figure
