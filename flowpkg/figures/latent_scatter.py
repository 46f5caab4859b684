"""Latents of normal rows and anomalies in two principal components."""

import matplotlib.pyplot as plt
import numpy as np

from flowpkg.figures.style import ROLES, scatter, unit_circles


def draw(evaluation, options):
    """Draw held-out and anomalous latents; beyond four standard deviations the axes are logarithmic."""
    arrays = evaluation.arrays
    figure, ax = plt.subplots(figsize=(4.6, 4.4))
    normal, anomaly = arrays["heldout_pc"][: options["points"]], arrays["anomaly_pc"][: options["points"]]
    scatter(ax, normal, color=ROLES["latent"], s=12, label=f"held-out normal ({len(normal)})", zorder=3)
    if len(anomaly):
        scatter(ax, anomaly, color=ROLES["outlier"], s=12, marker="^", label=f"anomaly ({len(anomaly)})", zorder=2)
    unit_circles(ax)
    reach = max(4.0, 1.1 * float(np.abs(np.concatenate([normal, anomaly])).max()))
    for set_scale in (ax.set_xscale, ax.set_yscale):
        set_scale("symlog", linthresh=4.0, linscale=3.0)
    ticks = [tick for tick in (-100, -10, -2, 0, 2, 10, 100) if abs(tick) <= reach]
    ax.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal", xticks=ticks, yticks=ticks)
    ax.set_xticklabels([str(tick) for tick in ticks])
    ax.set_yticklabels([str(tick) for tick in ticks])
    ax.minorticks_off()
    ax.set(xlabel="latent component 1 (sd; log beyond 4)", ylabel="latent component 2 (sd; log beyond 4)")
    figure.legend(*ax.get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return figure
