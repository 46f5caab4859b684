"""Posterior means against the parameters that made the observations."""

import matplotlib.pyplot as plt
import numpy as np

from flowpkg.figures.style import LABEL_BOX, ROLES, WIDTH, grid_shape, parameter_names


def draw(evaluation, options):
    """Draw posterior mean with standard deviation against truth, for the first eight parameters."""
    arrays = evaluation.arrays
    most = min(options.get("points", 2000), 300)  # more error bars than this hide one another
    truth, mean, sd = (arrays[f"recovery_{key}"] for key in ("truth", "mean", "sd"))
    names = parameter_names(evaluation, truth.shape[1])
    count = min(truth.shape[1], 8)
    rows, columns = grid_shape(count, 4)
    side = min(WIDTH / columns, 2.8)
    figure, axes = plt.subplots(rows, columns, figsize=(max(side * columns, 3.2), side * rows + 0.4), squeeze=False)
    for p, ax in enumerate(axes.flat):
        if p >= count:
            ax.set_axis_off()
            continue
        low = min(truth[:most, p].min(), (mean - sd)[:most, p].min())
        high = max(truth[:most, p].max(), (mean + sd)[:most, p].max())
        low, high = low - 0.05 * (high - low), high + 0.05 * (high - low)
        ax.plot([low, high], [low, high], color=ROLES["reference"], lw=0.8)
        bars = ax.errorbar(
            truth[:most, p],
            mean[:most, p],
            yerr=sd[:most, p],
            fmt="o",
            ms=2,
            mew=0,
            lw=0.5,
            color=ROLES["data"],
            ecolor="#99C7E0",
        )
        for part in (bars[0], *bars[2]):
            part.set_rasterized(True)
        correlation = np.corrcoef(truth[:, p], mean[:, p])[0, 1]
        ax.text(
            0.04, 0.96, f"r = {correlation:.3f}", transform=ax.transAxes, va="top", fontsize=8, bbox=LABEL_BOX, zorder=5
        )
        ax.set(xlim=(low, high), ylim=(low, high), aspect="equal")
        ax.set_title(names[p], fontsize=9)
        if p % columns == 0:
            ax.set_ylabel("posterior mean ± sd")
        if p + columns >= count:
            ax.set_xlabel("truth")
    return figure
