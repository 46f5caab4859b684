"""Arms drawn from the posterior beside those of rejection sampling."""

import matplotlib.pyplot as plt
import numpy as np

from flowpkg.figures.style import ROLES, WIDTH


def arm_points(x, lengths):
    """Return base, two joints and end point of postures `[n, 4]`, as `[n, 4, 2]`."""
    angle = np.cumsum(x[:, 1:], axis=1)
    steps = lengths[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    base = np.stack([np.zeros(len(x)), x[:, 0]], axis=-1)[:, None]
    return np.concatenate([base, base + np.cumsum(steps, axis=1)], axis=1)


def draw_arms(ax, x, lengths, target, colour, *, arms=60):
    """Draw some thin arms, the scatter of all end points and the target."""
    points = arm_points(x, lengths)
    ax.axvline(0.0, color="0.8", lw=3, zorder=0)
    ax.plot(points[:arms, :, 0].T, points[:arms, :, 1].T, color=colour, lw=0.5, alpha=0.45)
    ax.plot(points[:arms, 1:3, 0].ravel(), points[:arms, 1:3, 1].ravel(), ".", color=colour, ms=1.8, alpha=0.7)
    ax.plot(points[:, -1, 0], points[:, -1, 1], ".", color=ROLES["outlier"], ms=1.2, alpha=0.5, rasterized=True)
    ax.plot(*target, "x", color="black", ms=7, mew=1.3)
    ax.set_aspect("equal")


def draw(evaluation, options):
    """Draw the flow's posterior (upper row) and rejection samples (lower row) for each demonstration point."""
    arrays = evaluation.arrays
    targets = arrays["demo_y"][:4]
    figure, axes = plt.subplots(2, len(targets), figsize=(WIDTH, 4.6), squeeze=False, sharex=True, sharey=True)
    for column, target in enumerate(targets):
        for row, (key, colour, label) in enumerate(
            (("demo_posterior", ROLES["generated"], "flow"), ("demo_reference", ROLES["reference"], "rejection"))
        ):
            ax = axes[row, column]
            draw_arms(ax, arrays[key][column], arrays["lengths"], target, colour)
            ax.set(xlim=(-0.35, 2.1), ylim=(-1.9, 1.9), xlabel="reach $y_1$", ylabel="height $y_2$")
            ax.label_outer()
            ax.set_title(f"{label}\n$y$ = ({target[0]:g}, {target[1]:g})", fontsize=8)
    return figure
