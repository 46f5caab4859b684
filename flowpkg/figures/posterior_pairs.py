"""Pairs of parameters of one posterior, the flow's over the reference's."""

import matplotlib.pyplot as plt
import numpy as np

from flowpkg.figures.style import ROLES, WIDTH, axis_names


def draw(evaluation, options):
    """Draw histograms on the diagonal and pairs below it, for the first demonstration point."""
    arrays = evaluation.arrays
    flow, reference = arrays["demo_posterior"][0][:, :6], arrays["demo_reference"][0][:, :6]
    names, count = axis_names(evaluation), flow.shape[1]
    target = ", ".join(f"{value:g}" for value in arrays["demo_y"][0])
    figure, axes = plt.subplots(count, count, figsize=(WIDTH, WIDTH), squeeze=False, sharex="col")
    low, high = np.quantile(reference, [0.0005, 0.9995], axis=0)
    low, high = low - 0.15 * (high - low), high + 0.15 * (high - low)
    for row in range(count):
        for column in range(count):
            ax = axes[row, column]
            if column > row:
                ax.remove()
                continue
            if row == column:
                bins = np.linspace(low[row], high[row], 41)
                ax.hist(reference[:, row], bins, density=True, color="0.75", label="rejection sampling")
                ax.hist(flow[:, row], bins, density=True, histtype="step", color=ROLES["generated"], label="flow")
                ax.set_yticks([])
                if row:
                    ax.set_ylabel("")
            else:
                for points, colour in ((reference, ROLES["reference"]), (flow, ROLES["generated"])):
                    ax.plot(points[:, column], points[:, row], ".", ms=1.4, alpha=0.5, color=colour, rasterized=True)
                ax.set_ylim(low[row], high[row])
                if column == 0:
                    ax.set_ylabel(_unit(names[row]))
            ax.set_xlim(low[column], high[column])
            if row == count - 1:
                ax.set_xlabel(_unit(names[column]))
    legend = figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="upper right", bbox_to_anchor=(0.98, 0.93))
    legend.set_in_layout(False)
    figure.suptitle(f"Posterior at y = ({target}), {len(flow)} samples each")
    return figure


def _unit(name: str) -> str:
    return f"{name} (length)" if name == "x1" else f"{name} (rad)"
