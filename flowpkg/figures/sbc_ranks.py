"""Histograms of the ranks of simulation-based calibration."""

import numpy as np

from flowpkg.figures.style import ROLES, axis_names, panel_grid


def draw(evaluation, options):
    """Draw one histogram for each parameter with the 95 % band of a calibrated posterior."""
    arrays = evaluation.arrays
    ranks, bins, names = arrays["sbc_ranks"], int(arrays["sbc_bins"]), axis_names(evaluation)
    figure, axes = panel_grid(ranks.shape[1], 4, height=1.5, sharex=True, sharey=True)
    top = float(arrays["sbc_band_high"])
    for ax, column, name in zip(axes, ranks.T, names, strict=True):
        ax.axhspan(float(arrays["sbc_band_low"]), float(arrays["sbc_band_high"]), color="0.85", label="95 % of bars")
        ax.axhline(len(ranks) / bins, color=ROLES["reference"], lw=0.8)
        edges = np.linspace(0.0, 1.0, bins + 1)
        counts = np.histogram((column + 0.5) / (float(arrays["sbc_draws"]) + 1.0), edges)[0]
        ax.stairs(counts, edges, baseline=None, color=ROLES["data"], lw=1.0)
        top = max(top, counts.max())
        ax.set(xlim=(0, 1), xlabel="rank of the truth (share)", ylabel="observations", title=name)
        ax.label_outer()
    axes[0].set_ylim(0, 1.05 * top)
    axes[0].legend(loc="lower center")
    return figure
