"""Pairs of parameters under the flow's posterior, with rejection samples or the truth."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.lines import Line2D

from flowpkg.figures.ensembles import reference_name, title_of
from flowpkg.figures.style import ROLES, WIDTH, parameter_names, scatter


def draw(evaluation, options):
    """Draw a corner plot of the first demonstrated observation: flow against rejection samples, or beside the truth."""
    arrays = evaluation.arrays
    profile = "reference_flow" in arrays
    found, right, truth = (
        (arrays["reference_flow"][0], arrays["reference_samples"][0], arrays["reference_x"][0])
        if profile
        else (arrays["demo_posterior"][0], arrays["demo_reference"][0] if "demo_reference" in arrays else None, None)
    )
    truth = arrays.get("demo_truth", truth)
    width = found.shape[1]
    # Of a long profile two neighbours and places far apart; else the first six.
    shown = np.arange(width) if not profile or width <= 6 else np.array([0, 1, width // 3, 2 * width // 3, width - 1])
    shown = shown[:6]
    names = [parameter_names(evaluation, width)[i] for i in shown]
    sources = [("flow", found[:, shown], ROLES["generated"])]
    if right is not None:
        label = reference_name(evaluation) if profile else "rejection sampling"
        sources.insert(0, (label, right[:, shown], ROLES["reference"]))
    truth, count = None if truth is None else truth[shown], len(shown)
    most = options.get("points", 2000)
    ends = np.array([np.quantile(x[:, :count], [0.001, 0.999], axis=0) for _, x, _ in sources])
    low, high = ends[:, 0].min(axis=0), ends[:, 1].max(axis=0)
    margin = 0.08 * np.maximum(high - low, 1e-9)
    low, high = low - margin, high + margin
    figure, axes = plt.subplots(count, count, figsize=(WIDTH, WIDTH * 0.95), squeeze=False, sharex="col")
    for row in range(count):
        for column in range(count):
            ax = axes[row, column]
            if column > row:
                ax.set_axis_off()
                continue
            for _, x, colour in sources:
                if row == column:
                    edges = np.linspace(low[row], high[row], 41)
                    look = {"histtype": "step", "lw": 1.2} if colour != ROLES["reference"] else {"alpha": 0.35}
                    ax.hist(x[:, row], bins=edges, density=True, color=colour, **look)
                else:
                    scatter(ax, x[:most][:, [column, row]], s=2.0, c=colour, alpha=0.35)
            if truth is not None:
                ax.axvline(truth[column], color="black", lw=0.8, ls="--")
                if row != column:
                    ax.axhline(truth[row], color="black", lw=0.8, ls="--")
            ax.set_xlim(low[column], high[column])
            if row == column:
                ax.set_yticks([])
                ax.spines["left"].set_visible(False)
            else:
                ax.set_ylim(low[row], high[row])
            ax.tick_params(labelsize=7, labelleft=column == 0 and row > 0)
            if row == count - 1:
                ax.set_xlabel(names[column], fontsize=8)
            if column == 0:
                ax.set_ylabel(names[row] if row else "density", fontsize=8)
    figure.align_ylabels()
    title = "Posterior" if truth is None else "Posterior of one held-out simulation"
    title = title_of(0) if profile else title
    if "demo_y" in arrays:
        title += f" given y = ({', '.join(f'{v:.2f}' for v in np.asarray(arrays['demo_y'])[0][:4])})"
    figure.suptitle(title, fontsize=10)
    handles = [Line2D([], [], color=colour, lw=4, label=name) for name, _, colour in sources[::-1]]
    if truth is not None:
        handles.append(Line2D([], [], color="black", lw=0.8, ls="--", label="truth"))
    figure.legend(handles=handles, loc="upper right", bbox_to_anchor=(0.97, 0.93), fontsize=9)
    return figure
