"""Marginals of a posterior beside those of MCMC."""

import numpy as np

from flowpkg.figures.ensembles import reference_name, title_of
from flowpkg.figures.style import ROLES, panel_grid, parameter_names


def draw(evaluation, options):
    """Draw a histogram of every parameter for the first reference observation: flow over MCMC, and the truth."""
    arrays = evaluation.arrays
    flow, right, truth = (arrays[f"reference_{key}"][0] for key in ("flow", "samples", "x"))
    names = parameter_names(evaluation, flow.shape[1])
    figure, axes = panel_grid(flow.shape[1], 6 if flow.shape[1] > 12 else 4, height=1.15)
    for p, ax in enumerate(axes):
        ends = np.quantile(np.concatenate([flow[:, p], right[:, p]]), [0.001, 0.999])
        edges = np.linspace(*(ends + np.array([-0.05, 0.05]) * np.ptp(ends)), 31)
        ax.hist(right[:, p], bins=edges, density=True, color=ROLES["reference"], alpha=0.35)
        ax.hist(flow[:, p], bins=edges, density=True, color=ROLES["generated"], histtype="step", lw=1.2)
        ax.axvline(truth[p], color=ROLES["data"], lw=1.0)
        ax.set_yticks([])
        ax.spines["left"].set_visible(False)
        ax.tick_params(labelsize=6)
        ax.set_title(names[p], fontsize=7)
    handles = [
        axes[0].plot([], [], color=colour, lw=4 if i < 2 else 1.2, label=label)[0]
        for i, (label, colour) in enumerate(
            ((reference_name(evaluation), "#BDBDBD"), ("flow", ROLES["generated"]), ("truth", ROLES["data"]))
        )
    ]
    figure.suptitle(f"{title_of(0)} (C2ST {arrays['reference_c2st'][0]:.2f})", fontsize=10)
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    return figure
