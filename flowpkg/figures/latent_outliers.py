"""Latents of the first training images in two principal components, the farthest and the nearest of them shown."""

import matplotlib.pyplot as plt
import numpy as np

from flowpkg.figures.image_panels import show_images
from flowpkg.figures.style import LABEL_BOX, ROLES, WIDTH, scatter, unit_circles


def draw(evaluation, options):
    """Draw the plane with numbered points (left) and the images decoded from those latents (right)."""
    arrays = evaluation.arrays
    plane = arrays["plane_train"]
    figure = plt.figure(figsize=(WIDTH, 3.9))
    grid = figure.add_gridspec(2, 2, width_ratios=(1.25, 1))
    ax = figure.add_subplot(grid[:, 0])
    scatter(ax, plane[: options["points"]], color=ROLES["latent"], s=5, alpha=0.6)
    unit_circles(ax, label=False)
    start = 1
    for row, (group, role, title) in enumerate(
        (("outlier", "outlier", "farthest from the mean"), ("central", "data", "nearest to the mean"))
    ):
        index = arrays[f"{group}_index"]
        numbers = np.arange(start, start + len(index))
        start += len(index)
        scatter(ax, plane[index], color=ROLES[role], s=14, zorder=4)
        if group == "outlier":
            for number, point in zip(numbers, plane[index]):
                side = 1.0 if point[0] >= 0 else -1.0
                ax.annotate(
                    str(number), point, xytext=(4 * side, 3), textcoords="offset points", fontsize=7,
                    ha="left" if side > 0 else "right", color=ROLES[role], bbox=LABEL_BOX, zorder=5,
                )  # fmt: skip
        else:
            # Points at the centre lie on top of each other: their numbers stand on a ring, with a line to each.
            angle = np.arctan2(plane[index][:, 1], plane[index][:, 0])
            place = np.empty(len(index))
            place[np.argsort(angle)] = -np.pi + 2 * np.pi * (np.arange(len(index)) + 0.5) / len(index)
            for number, point, turn in zip(numbers, plane[index], place):
                ax.annotate(
                    str(number), point, xytext=(1.0 * np.cos(turn), 1.0 * np.sin(turn)), fontsize=7, ha="center",
                    va="center", color=ROLES[role], bbox=LABEL_BOX, zorder=5,
                    arrowprops={"arrowstyle": "-", "lw": 0.5, "color": ROLES[role], "shrinkA": 0, "shrinkB": 1},
                )  # fmt: skip
        beside = figure.add_subplot(grid[row, 1])
        show_images(beside, arrays[f"{group}_images"], 4, title=title, labels=[str(n) for n in numbers], label_size=7)
    ax.set(
        xlabel="principal component 1 of latents (sd)",
        ylabel="principal component 2 of latents (sd)",
        aspect="equal",
        title=f"Latents of {len(plane):,} training images",
    )
    return figure
