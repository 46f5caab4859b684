"""The cross-section of a glacier valley with posterior beds."""

import matplotlib.pyplot as plt
import numpy as np

from flowpkg.figures.ensembles import draw_ensemble, reference_name, title_of
from flowpkg.figures.style import ROLES, WIDTH


def draw(evaluation, options):
    """Draw ice surface, stations, true bed and posterior beds for each reference observation, one below the other."""
    arrays = evaluation.arrays
    width = float(arrays["width"])
    axis = np.concatenate([[0.0], arrays["x_axis"], [width]]) / 1000.0

    def bed(thickness):
        margin = np.zeros((*thickness.shape[:-1], 1))
        return np.concatenate([margin, thickness, margin], axis=-1)

    count = len(arrays["reference_x"])
    figure, axes = plt.subplots(count, 1, figsize=(WIDTH, 1.9 * count + 0.6), squeeze=False, sharex=True)
    for i, ax in enumerate(axes[:, 0]):
        truth = bed(arrays["reference_x"][i])
        ax.fill_between(axis, 0.0, truth, color="#DCEBF5", lw=0)
        draw_ensemble(
            ax,
            axis,
            bed(arrays["reference_flow"][i]),
            bed(arrays["reference_samples"][i]),
            truth,
            upright=False,
            name=reference_name(evaluation),
        )
        ax.plot([0, width / 1000.0], [0, 0], color=ROLES["reference"], lw=0.8)
        stations = arrays["stations"] / 1000.0
        ax.plot(stations, np.zeros(len(stations)), "v", ms=5, color="black", clip_on=False, zorder=5, label="station")
        deepest = float(np.quantile(arrays["reference_flow"][i], 0.999))
        ax.set(xlim=(0, width / 1000.0), ylim=(1.05 * max(deepest, truth.max()), -0.04 * deepest))
        ax.set_ylabel("depth below\nsurface (m)")
        ax.set_title(title_of(i))
    axes[-1, 0].set_xlabel("distance across the valley (km)")
    figure.align_ylabels()
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=6)
    return figure
