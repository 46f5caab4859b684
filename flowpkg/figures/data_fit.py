"""Observed data and the data that posterior samples predict."""

import matplotlib.pyplot as plt
import numpy as np

from flowpkg.figures.ensembles import bands, title_of
from flowpkg.figures.style import ROLES, WIDTH


def _axis(arrays):
    if "stations" in arrays:
        return arrays["stations"] / 1000.0, "station across the valley (km)", "gravity\n(mGal)", "mGal"
    if "periods" in arrays:
        return arrays["periods"], "period (s)", "phase velocity\n(m/s)", "m/s"
    return np.arange(1, arrays["reference_y"].shape[1] + 1), "datum", "data", "units of y"


def draw(evaluation, options):
    """Draw observations with predictions (top) and predicted minus observed (bottom) of each reference observation."""
    arrays = evaluation.arrays
    axis, label, quantity, unit = _axis(arrays)
    observed, predicted = arrays["reference_y"], arrays["reference_predicted"]
    count = len(observed)
    figure, axes = plt.subplots(
        2, count, figsize=(WIDTH, 4.0), squeeze=False, sharex=True, sharey="row", height_ratios=[1.4, 1]
    )
    for i, (top, bottom) in enumerate(axes.T):
        top.plot(axis, predicted[i][:40].T, color=ROLES["generated"], lw=0.4, alpha=0.4)
        top.plot([], [], color=ROLES["generated"], label="posterior samples, simulated again")
        top.plot(axis, observed[i], "o", ms=3.5, color=ROLES["data"], label="observed")
        top.set_title(title_of(i).replace(": ", "\n"))
        low, inner_low, middle, inner_high, high = bands(predicted[i] - observed[i])
        bottom.fill_between(axis, low, high, color=ROLES["generated"], alpha=0.3, lw=0)
        bottom.fill_between(axis, inner_low, inner_high, color=ROLES["generated"], alpha=0.45, lw=0)
        bottom.plot(axis, middle, color="#9A6A00", lw=1.0)
        bottom.axhline(0.0, color=ROLES["data"], lw=0.8)
        if "stations" in arrays:
            reach = 0.02 * arrays["data_prior_sd"]
            for sign in (-1, 1):
                bottom.plot(
                    axis,
                    sign * reach,
                    color="black",
                    lw=0.9,
                    ls="-.",
                    label="2 % of prior spread" if sign > 0 else None,
                )
        for sign in (-1, 1):
            label_noise = "data error, 1 sd" if sign > 0 else None
            bottom.axhline(sign * float(arrays["noise"]), color=ROLES["reference"], lw=0.8, ls=":", label=label_noise)
        bottom.set_xlabel(label)
    axes[0, 0].set_ylabel(quantity)
    axes[1, 0].set_ylabel(f"predicted −\nobserved ({unit})")
    figure.align_ylabels()
    handles, labels = axes[0, 0].get_legend_handles_labels()
    more, names = axes[1, 0].get_legend_handles_labels()
    figure.legend(handles + more, labels + names, loc="outside lower center", ncols=4)
    return figure
