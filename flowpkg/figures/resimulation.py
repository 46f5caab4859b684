"""Distribution of the distance between simulated posterior samples and the observation."""

import matplotlib.pyplot as plt
import numpy as np

from flowpkg.figures.style import ROLES, WIDTH


def draw(evaluation, options):
    """Draw the share of samples beyond each distance, with median, root mean square and 99.9 % quantile."""
    arrays, metrics = evaluation.arrays, evaluation.metrics
    distance, share = arrays["resim_distance"], 1.0 - arrays["resim_probability"]
    figure, ax = plt.subplots(figsize=(WIDTH * 0.75, 3.2))
    ax.loglog(np.maximum(distance, 1e-8), share, color=ROLES["data"], lw=1.5)
    marks = (("median", "err_resim_median", ":"), ("root mean square", "err_resim", "--"),
             ("99.9 % quantile", "err_resim_q999", "-."))  # fmt: skip
    for label, key, line in marks:
        value = metrics[key] ** 0.5
        ax.axvline(value, color=ROLES["reference"], ls=line, lw=1.0, label=f"{label}: {value:.2g}")
    low = max(float(np.quantile(distance, 0.02)), 1e-7)
    ax.set(xlabel="re-simulation distance (length)", ylabel="share of samples beyond", xlim=(low, None),
           ylim=(1e-6, 1.3))  # fmt: skip
    ax.legend(loc="lower left")
    return figure
