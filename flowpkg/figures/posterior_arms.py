"""The arms that a posterior proposes for an end point."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.collections import LineCollection

from flowpkg.figures.style import LABEL_BOX, ROLES, WIDTH

ARMS = 60


def arm_positions(x: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Return the base, both joints and the end of each arm, [n, 4, 2].

    Args:
        x: height of the base and the three joint angles in radians, [n, 4].
        lengths: lengths of the three links.
    """
    angles = np.cumsum(x[:, 1:4], axis=1)
    steps = lengths[None, :, None] * np.stack([np.cos(angles), np.sin(angles)], axis=2)
    base = np.stack([np.zeros(len(x)), x[:, 0]], axis=1)[:, None]
    return np.concatenate([base, base + np.cumsum(steps, axis=1)], axis=1)


def draw_arms(ax, x, lengths, target, colour, most):
    """Draw some arms, the ends of many, and the target; return the positions that should be visible."""
    positions = arm_positions(x[:most], lengths)
    ends, arms = positions[:, -1], positions[:ARMS]
    ax.axvline(0.0, color="0.6", lw=1.5, zorder=0)
    ax.add_collection(LineCollection(list(arms), colors=colour, linewidths=0.7, alpha=0.35))
    ax.scatter(arms[:, 0, 0], arms[:, 0, 1], s=5, marker="s", c="0.3", linewidths=0, alpha=0.6, rasterized=True)
    joints = arms[:, 1:3].reshape(-1, 2)
    ax.scatter(joints[:, 0], joints[:, 1], s=4, c=colour, linewidths=0, alpha=0.7, zorder=3, rasterized=True)
    ax.scatter(ends[:, 0], ends[:, 1], s=3, c=ROLES["outlier"], linewidths=0, alpha=0.5, zorder=4, rasterized=True)
    ax.plot(*target, "x", color="black", ms=9, mew=1.4, zorder=5)
    return np.concatenate([arms.reshape(-1, 2), np.asarray(target)[None]])


def draw(evaluation, options):
    """Draw arms of the flow's posterior (above) and of rejection sampling (below) for some end points."""
    arrays = evaluation.arrays
    targets = arrays["demo_y"][:4]
    lengths, most = np.asarray(arrays["lengths"], float), options.get("points", 2000)
    sources = [("Flow", arrays["demo_posterior"], ROLES["data"]), ("Rejection", arrays["demo_reference"], "#4D4D4D")]
    side = min(WIDTH / len(targets), 3.0)
    figure, axes = plt.subplots(2, len(targets), figsize=(side * len(targets), 2 * side + 0.4), squeeze=False)
    boxes = []
    for column, target in enumerate(targets):
        shown = [
            draw_arms(ax, x[column], lengths, target, colour, most)
            for ax, (_, x, colour) in zip(axes[:, column], sources)
        ]
        shown = np.concatenate(shown)
        boxes.append((shown.min(axis=0), shown.max(axis=0)))
        axes[0, column].set_title(f"$y^*$ = ({target[0]:.2f}, {target[1]:.2f})", fontsize=9)
        axes[1, column].set_xlabel("horizontal (length units)" if len(targets) < 4 else "horizontal (length)")
    half = 0.54 * max(float((high - low).max()) for low, high in boxes)
    for column, (low, high) in enumerate(boxes):
        middle = (low + high) / 2.0
        for ax, (name, _, _) in zip(axes[:, column], sources):
            ax.set(xlim=(middle[0] - half, middle[0] + half), ylim=(middle[1] - half, middle[1] + half), aspect="equal")
            if column == 0:
                ax.set_ylabel("vertical (length units)" if len(targets) < 4 else "vertical (length)")
                ax.text(0.03, 0.97, name, transform=ax.transAxes, va="top", weight="bold", fontsize=8, bbox=LABEL_BOX)
    return figure
