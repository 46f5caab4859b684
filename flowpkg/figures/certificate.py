"""Posterior means and deviations beside the exact ones."""

import matplotlib.pyplot as plt
import numpy as np

from flowpkg.figures.style import ROLES, WIDTH


def draw(evaluation, options):
    """Draw three posteriors over the exact ones, and below the errors of mean and deviation."""
    arrays = evaluation.arrays
    mean, sd = arrays["certificate_mean"][:3], arrays["certificate_sd"][:3]
    exact, exact_sd = arrays["exact_mean"][:3], np.broadcast_to(arrays["exact_sd"], mean.shape)
    index = np.arange(1, mean.shape[1] + 1)
    figure, axes = plt.subplots(
        3, len(mean), figsize=(WIDTH, 5.2), squeeze=False, sharex=True, sharey="row", height_ratios=(3, 1, 1)
    )
    for i, (top, middle, bottom) in enumerate(axes.T):
        top.fill_between(index, exact[i] - 2 * exact_sd[i], exact[i] + 2 * exact_sd[i], color="0.85",
                         label="exact mean ± 2 sd")  # fmt: skip
        top.plot(index, exact[i], color=ROLES["reference"], lw=0.9)
        top.errorbar(index, mean[i], 2 * sd[i], fmt="o", ms=2.5, lw=0.9, color=ROLES["generated"],
                     label="flow mean ± 2 sd")  # fmt: skip
        top.plot(index, arrays["certificate_truth"][i], "x", ms=4, color="black", label="truth")
        top.set(title=f"observation {i + 1}", ylabel="unknown $x$")
        middle.plot(index, (mean[i] - exact[i]) / exact_sd[i], "o", ms=2.5, color=ROLES["generated"])
        middle.axhline(0, color=ROLES["reference"], lw=0.8)
        middle.set(ylabel="mean error\n(exact sd)")
        bottom.plot(index, sd[i] / exact_sd[i], "o", ms=2.5, color=ROLES["generated"])
        bottom.axhline(1, color=ROLES["reference"], lw=0.8)
        bottom.set(ylabel="sd / exact sd", xlabel="parameter")
        for ax in (top, middle, bottom):
            ax.label_outer()
    reach = max(0.3, 1.2 * np.abs((mean - exact) / exact_sd).max())
    axes[1, 0].set_ylim(-reach, reach)
    spread = max(0.15, 1.2 * np.abs(sd / exact_sd - 1).max())
    axes[2, 0].set_ylim(1 - spread, 1 + spread)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return figure
