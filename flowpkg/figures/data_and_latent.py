"""Data and their latents side by side, the same points coloured alike."""

import matplotlib.pyplot as plt

from flowpkg.figures.style import (
    LATENT_NAMES,
    WIDTH,
    axis_names,
    data_limits,
    latent_limits,
    name_axes,
    point_colours,
    scatter,
    unit_circles,
)


def draw(evaluation, options):
    """Draw held-out data (left) and what the flow maps them to (right)."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(WIDTH, 3.4))
    x = evaluation.arrays["heldout_x"][: options["points"]]
    z = evaluation.arrays["heldout_z"][: options["points"]]
    colours = point_colours(x)
    scatter(left, x, c=colours)
    data_limits(left, x)
    name_axes(left, axis_names(evaluation), f"Held-out data ({len(x):,} points)")
    scatter(right, z, c=colours)
    unit_circles(right)
    latent_limits(right, z)
    name_axes(right, LATENT_NAMES, "The same points in latent space")
    return figure
