"""Labelled data and their latents side by side."""

import matplotlib.pyplot as plt

from flowpkg.figures.style import (
    LATENT_NAMES,
    WIDTH,
    class_colour,
    class_marker,
    data_limits,
    latent_limits,
    name_axes,
    plane_names,
    scatter,
    unit_circles,
)


def draw(evaluation, options):
    """Draw held-out data (left) and their latents given their labels (right), coloured by label."""
    arrays = evaluation.arrays
    x = arrays["heldout_x"][: options.get("points", 2000)]
    z = arrays["heldout_z"][: len(x), :2]
    labels = arrays["heldout_label"][: len(x)].astype(int)
    count = int(arrays["heldout_label"].max()) + 1
    # Compressed: with two aspects the plain layout lets a title leave the page.
    figure, (left, right) = plt.subplots(1, 2, figsize=(WIDTH, 3.9), layout="compressed")
    for k in range(count):
        look = {"s": 6.0, "c": class_colour(k), "marker": class_marker(k), "alpha": 0.8}
        scatter(left, x[labels == k], label=f"label {k}", **look)
        scatter(right, z[labels == k], **look)
    data_limits(left, x)
    name_axes(left, plane_names(evaluation), f"Held-out data ({len(x):,} points)")
    unit_circles(right)
    latent_limits(right, z)
    name_axes(right, LATENT_NAMES, "The same points in latent space")
    figure.legend(loc="outside lower center", ncols=min(count, 8), markerscale=2, handletextpad=0.1, columnspacing=1.0)
    return figure
