"""Samples of the flow for each label beside true ones."""

import matplotlib.pyplot as plt
import numpy as np

from flowpkg.figures.style import ROLES, WIDTH, data_limits, grid_shape, plane_names, scatter


def draw(evaluation, options):
    """Draw, for each label, samples of the flow (above) and of the truth (below) on the same axes."""
    arrays = evaluation.arrays
    most = options.get("points", 2000)
    sampled, true = arrays["sampled_x"][:, :most], arrays["true_x"][:, :most]
    count = len(sampled)
    blocks, columns = grid_shape(count, 4)
    side = min(WIDTH / columns, 2.6)
    figure, axes = plt.subplots(
        2 * blocks,
        columns,
        figsize=(max(side * columns, 3.0), 2 * blocks * (side * 0.92) + 0.5),
        squeeze=False,
        sharex=True,
        sharey=True,
    )
    names = plane_names(evaluation)
    # A few wild samples should not shrink the rest: show all of the truth and 99.8 % of the flow's samples.
    kept = np.quantile(sampled.reshape(-1, 2), [0.001, 0.999], axis=0)
    for position in range(blocks * columns):
        block, column = divmod(position, columns)
        pair = axes[2 * block, column], axes[2 * block + 1, column]
        if position >= count:
            for ax in pair:
                ax.set_axis_off()
            continue
        centres = arrays["centres"][arrays["mode_label"] == position]
        for ax, points, source in zip(pair, (sampled[position], true[position]), ("generated", "data")):
            scatter(ax, points, s=2.0, c=ROLES[source], label={"generated": "flow", "data": "truth"}[source])
            ax.plot(centres[:, 0], centres[:, 1], "+", color="black", ms=7, mew=1.2, label="centre of a mode")
            data_limits(ax, true.reshape(-1, 2), kept)
            ax.set_title(f"{'Flow' if source == 'generated' else 'Truth'}, label {position}", fontsize=9)
            if column == 0:
                ax.set_ylabel(names[1])
        if position + columns >= count:
            pair[1].set_xlabel(names[0])
            pair[1].tick_params(labelbottom=True)
    handles = {text: handle for ax in axes[:2, 0] for handle, text in zip(*ax.get_legend_handles_labels())}
    order = ["flow", "truth", "centre of a mode"]
    figure.legend([handles[o] for o in order], order, loc="outside lower center", ncols=3, markerscale=1.5)
    return figure
