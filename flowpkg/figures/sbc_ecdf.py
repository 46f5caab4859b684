"""Simulation-based calibration: distribution of ranks less the uniform one."""

import matplotlib.pyplot as plt
import numpy as np

from flowpkg.figures.style import ROLES, WIDTH, parameter_lines, parameter_names


def draw(evaluation, options):
    """Draw each parameter's difference of the rank distribution from uniform, and the simultaneous 95 % band."""
    arrays = evaluation.arrays
    grid, difference = arrays["ecdf_grid"], np.atleast_2d(arrays["ecdf_difference"])
    low, high = arrays["ecdf_low"], arrays["ecdf_high"]
    names = parameter_names(evaluation, len(difference))
    inside = int(np.sum(np.all((difference >= low - 1e-9) & (difference <= high + 1e-9), axis=1)))
    figure, ax = plt.subplots(figsize=(WIDTH * 0.85, 3.8 + 0.2 * (len(names) > 8)))
    ax.fill_between(grid, low, high, color=ROLES["reference"], alpha=0.2, lw=0, label="95 % band")
    ax.axhline(0.0, color=ROLES["reference"], lw=0.8)
    for values, name, look in zip(difference, names, parameter_lines(len(names))):
        ax.plot(grid, values, label=name, **look)
    ax.set(xlabel="fractional rank", ylabel="distribution of ranks minus uniform", xlim=(0, 1))
    ax.set_title(f"Rank calibration: {inside} of {len(names)} inside the simultaneous band")
    figure.legend(
        *ax.get_legend_handles_labels(),
        loc="outside lower center",
        ncols=5 if len(names) <= 8 else 4,
        columnspacing=1.2,
    )
    return figure
