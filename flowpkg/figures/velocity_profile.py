"""Velocity against depth with the posterior ensemble."""

import matplotlib.pyplot as plt
import numpy as np

from flowpkg.figures.ensembles import draw_ensemble, reference_name, title_of
from flowpkg.figures.style import ROLES, WIDTH


def draw(evaluation, options):
    """Draw prior band, posterior ensemble, reference band and truth down the profile of each reference observation."""
    arrays = evaluation.arrays
    depth, prior = arrays["x_axis"], arrays["prior_quantiles"] / 1000.0
    count = len(arrays["reference_x"])
    figure, axes = plt.subplots(1, count, figsize=(WIDTH, 4.6), squeeze=False, sharex=True, sharey=True)
    for i, ax in enumerate(axes[0]):
        for index, label in ((0, "prior, 95 %"), (4, None)):
            ax.plot(prior[index], depth, color=ROLES["latent"], ls=":", lw=1.1, label=label)
        draw_ensemble(
            ax,
            depth,
            arrays["reference_flow"][i] / 1000.0,
            arrays["reference_samples"][i] / 1000.0,
            arrays["reference_x"][i] / 1000.0,
            upright=True,
            name=reference_name(evaluation),
        )
        if "receiver_depth" in arrays:
            deep = arrays["receiver_depth"]
            at = np.zeros(len(deep))
            ax.plot(
                at, deep, ">", ms=5, color="black", transform=ax.get_yaxis_transform(), clip_on=False, label="receiver"
            )
        ax.set_xlabel("velocity (km/s)")
        ax.set_title(title_of(i).replace(": ", "\n"))
    axes[0, 0].set(ylabel=str(arrays["x_axis_name"]), ylim=(1.02 * depth[-1], 0.0))
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure
