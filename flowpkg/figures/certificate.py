"""The flow's posterior against the exact one of a linear Gaussian problem."""

import matplotlib.pyplot as plt
import numpy as np

from flowpkg.figures.style import ROLES, WIDTH


def draw(evaluation, options):
    """Draw exact and learned posteriors for up to three observations, and the errors of mean and sd below."""
    arrays = evaluation.arrays
    count = min(len(arrays["certificate_mean"]), 3)
    truth, mean, sd = (arrays[f"certificate_{key}"][:count] for key in ("truth", "mean", "sd"))
    exact_mean = arrays["exact_mean"][:count]
    exact_sd = np.broadcast_to(arrays["exact_sd"], arrays["certificate_sd"].shape)[:count]
    index = np.arange(1, mean.shape[1] + 1)
    figure, axes = plt.subplots(
        3,
        count,
        figsize=(WIDTH, 4.9),
        squeeze=False,
        sharex=True,
        sharey="row",
        height_ratios=[2.2, 1, 1],
    )
    shift, ratio = (mean - exact_mean) / exact_sd, sd / exact_sd
    for d, (top, middle, bottom) in enumerate(axes.T):
        band = exact_mean[d] - 2 * exact_sd[d], exact_mean[d] + 2 * exact_sd[d]
        top.fill_between(
            index, *band, step="mid", color=ROLES["reference"], alpha=0.25, lw=0, label="exact mean ± 2 sd"
        )
        top.step(index, exact_mean[d], where="mid", color=ROLES["reference"], lw=0.9)
        top.errorbar(
            index, mean[d], yerr=2 * sd[d], fmt="o", ms=2.5, lw=0.9, color=ROLES["data"], label="flow mean ± 2 sd"
        )
        top.plot(index, truth[d], "x", color=ROLES["outlier"], ms=5, mew=1.1, label="truth")
        top.set_title(f"Observation {d + 1}")
        middle.axhline(0.0, color=ROLES["reference"], lw=0.8)
        middle.plot(index, shift[d], "o", ms=3, color=ROLES["data"])
        bottom.axhline(1.0, color=ROLES["reference"], lw=0.8)
        bottom.plot(index, ratio[d], "o", ms=3, color=ROLES["data"])
        bottom.set_xlabel("parameter index")
    axes[0, 0].set(ylabel="parameter (prior sd)", xlim=(0.3, index[-1] + 0.7))
    axes[0, 0].xaxis.get_major_locator().set_params(integer=True)
    reach = 1.15 * max(0.1, float(np.abs(shift).max()))
    axes[1, 0].set(ylabel="mean error\n(exact sd)", ylim=(-reach, reach))
    reach = 1.15 * max(0.05, float(np.abs(ratio - 1.0).max()))
    axes[2, 0].set(ylabel="sd / exact sd", ylim=(1.0 - reach, 1.0 + reach))
    figure.align_ylabels()
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure
