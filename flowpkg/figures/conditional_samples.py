"""Samples for each label beside the truth."""

import matplotlib.pyplot as plt

from flowpkg.figures.style import ROLES, WIDTH, axis_names, data_limits, scatter


def draw(evaluation, options):
    """Draw samples given each label (upper row of a pair) and true points of that label (lower row)."""
    arrays = evaluation.arrays
    sampled, true = arrays["sampled_x"], arrays["true_x"]
    classes = len(sampled)
    columns = min(classes, 4)
    pairs = -(-classes // columns)
    side = WIDTH / max(columns, 2)
    figure, axes = plt.subplots(
        2 * pairs, columns, figsize=(WIDTH, 2 * pairs * side * 0.95), squeeze=False, sharex=True, sharey=True
    )
    names, count = axis_names(evaluation), options["points"]
    for k in range(columns * pairs):
        upper, lower = axes[2 * (k // columns), k % columns], axes[2 * (k // columns) + 1, k % columns]
        if k >= classes:
            upper.remove(), lower.remove()
            continue
        scatter(upper, sampled[k][:count], color=ROLES["generated"], s=2)
        scatter(lower, true[k][:count], color=ROLES["data"], s=2)
        upper.set_title(f"label {k}: flow")
        lower.set_title(f"label {k}: truth")
        for ax in (upper, lower):
            centres = arrays["centres"][arrays["mode_label"] == k]
            ax.plot(centres[:, 0], centres[:, 1], "+", color=ROLES["reference"], ms=7, mew=1.2)
            data_limits(ax, true.reshape(-1, 2), arrays["centres"])
            ax.set(xlabel=names[0], ylabel=names[1])
            ax.label_outer()
    return figure
