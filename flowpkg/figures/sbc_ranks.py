"""Simulation-based calibration: histograms of the rank of the truth among posterior draws."""

import matplotlib.pyplot as plt
import numpy as np

from flowpkg.figures.style import ROLES, WIDTH, grid_shape, parameter_names, scalar


def draw(evaluation, options):
    """Draw a rank histogram of each parameter with the band that holds a calibrated bin's count 95 % of the time."""
    arrays = evaluation.arrays
    ranks = arrays["sbc_ranks"].astype(int)
    draws, bins = int(scalar(arrays["sbc_draws"])), int(scalar(arrays["sbc_bins"]))
    low, high = scalar(arrays["sbc_band_low"]), scalar(arrays["sbc_band_high"])
    count = ranks.shape[1]
    rows, columns = grid_shape(count, 4)
    names = parameter_names(evaluation, count)
    figure, axes = plt.subplots(
        rows,
        columns,
        figsize=(max(WIDTH * columns / 4, 3.4), 1.35 * rows + 0.9),
        squeeze=False,
        sharex=True,
        sharey=True,
    )
    edges = np.linspace(-0.5, draws + 0.5, bins + 1)
    for position, ax in enumerate(axes.flat):
        if position >= count:
            ax.set_axis_off()
            continue
        ax.axhspan(low, high, color=ROLES["reference"], alpha=0.2, lw=0, label="95 % band of one bin")
        ax.axhline(len(ranks) / bins, color=ROLES["reference"], lw=0.8, ls="--", label="calibrated")
        heights = np.histogram(ranks[:, position], bins=edges)[0]
        ax.stairs(heights, edges, color=ROLES["data"], lw=1.2, baseline=None, label="flow")
        ax.set_title(names[position], fontsize=9)
        if position % columns == 0:
            ax.set_ylabel("count")
        if position + columns >= count:
            ax.set_xlabel(f"rank (0 to {draws})")
            ax.tick_params(labelbottom=True)
    axes[0, 0].set(xlim=(-0.5, draws + 0.5))
    axes[0, 0].set_ylim(bottom=0)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    return figure
