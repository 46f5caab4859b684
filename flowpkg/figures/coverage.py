"""How often central posterior intervals hold the truth."""

import matplotlib.pyplot as plt
import numpy as np

from flowpkg.figures.style import ROLES, WIDTH, parameter_lines, parameter_names


def draw(evaluation, options):
    """Draw observed against nominal coverage (left) and their difference (right), with the 95 % band."""
    arrays = evaluation.arrays
    levels, observed = arrays["coverage_levels"], np.atleast_2d(arrays["coverage_observed"])
    low, high = arrays["coverage_low"], arrays["coverage_high"]
    names = parameter_names(evaluation, len(observed))
    figure, (left, right) = plt.subplots(1, 2, figsize=(WIDTH, 3.9 + 0.4 * (len(names) > 8)))
    for ax, base in ((left, 0.0), (right, levels)):
        ax.fill_between(levels, low - base, high - base, color=ROLES["reference"], alpha=0.2, lw=0, label="95 % band")
        ax.plot(levels, levels - base, color=ROLES["reference"], lw=0.8)
        for values, name, look in zip(observed, names, parameter_lines(len(names))):
            ax.plot(levels, values - base, label=name, **look)
        ax.set(xlabel="nominal coverage (fraction)", xlim=(0, 1))
    left.set(ylabel="observed coverage (fraction)", ylim=(0, 1), aspect="equal", title="Central intervals")
    right.set(ylabel="observed minus nominal coverage", title="Difference")
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=5, columnspacing=1.2)
    return figure
