"""Posterior mean against the truth."""

import numpy as np

from flowpkg.figures.style import ROLES, axis_names, panel_grid


def draw(evaluation, options):
    """Draw posterior means with one standard deviation against the truth, for the first eight parameters."""
    arrays = evaluation.arrays
    truth, mean, sd = (arrays[f"recovery_{key}"] for key in ("truth", "mean", "sd"))
    count = min(options["points"], 300)
    figure, axes = panel_grid(min(truth.shape[1], 8), 4, height=1.8)
    for i, (ax, name) in enumerate(zip(axes, axis_names(evaluation), strict=False)):
        reach = [truth[:, i].min(), truth[:, i].max()]
        ax.plot(reach, reach, color=ROLES["reference"], lw=0.8, ls="--")
        ax.errorbar(truth[:count, i], mean[:count, i], sd[:count, i], fmt="o", ms=1.5, lw=0.35, color=ROLES["data"],
                    alpha=0.6)  # fmt: skip
        ax.set(
            xlabel="truth",
            ylabel="posterior mean ± sd",
            title=f"{name}: r = {np.corrcoef(truth[:, i], mean[:, i])[0, 1]:.3f}",
        )
        if i % 4:
            ax.set_ylabel("")
    return figure
