"""How far simulations of posterior draws land from the observation."""

import matplotlib.pyplot as plt
import numpy as np

from flowpkg.figures.style import ROLES

# The metrics are squared distances; the figure shows distances.
MARKS = (
    ("err_resim_median", "median", ROLES["latent"], "--"),
    ("err_resim", "root mean square", ROLES["generated"], "-."),
    ("err_resim_q999", "99.9 %", ROLES["outlier"], ":"),
)


def draw(evaluation, options):
    """Draw the fraction of posterior draws whose simulation lies farther than a distance from the observation."""
    arrays, metrics = evaluation.arrays, evaluation.metrics
    distance = np.asarray(arrays["resim_distance"], float)
    beyond = 1.0 - np.asarray(arrays["resim_probability"], float)
    shown = (distance > 0) & (beyond > 1e-12)
    figure, ax = plt.subplots(figsize=(4.8, 3.9))
    ax.loglog(distance[shown], beyond[shown], color=ROLES["data"])
    for key, label, colour, line in MARKS:
        if key in metrics:
            value = float(np.sqrt(metrics[key]))
            ax.axvline(value, color=colour, ls=line, lw=1.2, label=f"{label}: {value:.2g}")
    ax.set(
        xlabel="distance |simulation − observation| (length units)",
        ylabel="fraction of draws farther away",
        title="Re-simulation of posterior draws",
    )
    ax.set_ylim(top=1.5)
    figure.legend(loc="outside lower center", ncols=3, columnspacing=1.2)
    return figure
