"""Posterior spread against noise level."""

import matplotlib.pyplot as plt
import numpy as np

from flowpkg.figures.style import ROLES, WIDTH


def draw(evaluation, options):
    """Draw posterior over prior spread against noise level at five depths (left) and down the profile (right)."""
    arrays = evaluation.arrays
    levels, spread, normal, axis = (arrays[key] for key in ("levels", "level_spread", "level_normal", "x_axis"))
    figure, (left, right) = plt.subplots(1, 2, figsize=(WIDTH, 3.7))
    places = np.unique(np.round(np.linspace(0, len(axis) - 1, 5)).astype(int))
    for place, colour in zip(places, plt.get_cmap("viridis")(np.linspace(0.0, 0.85, len(places)))):
        left.plot(levels, spread[:, place], "o-", ms=3.5, color=colour, label=f"{axis[place]:.0f} m")
        left.plot(levels, normal[:, place], "--", lw=0.9, color=colour)
    left.set_xscale("log")
    left.set(xlabel="noise level (direct wave = 1)", ylabel="posterior sd / prior sd of log x")
    shown = np.unique(np.round(np.linspace(0, len(levels) - 1, 4)).astype(int))
    for index, colour in zip(shown, plt.get_cmap("plasma")(np.linspace(0.0, 0.85, len(shown)))):
        right.plot(spread[index], axis, "-", color=colour, label=f"noise {levels[index]:.2g}")
        right.plot(normal[index], axis, "--", lw=0.9, color=colour)
    right.set(xlabel="posterior sd / prior sd of log x", ylabel=str(arrays["x_axis_name"]))
    right.set_ylim(axis[-1] * 1.02, 0.0)
    right.set_xlim(left=0.0)
    left.set_ylim(bottom=0.0)
    for ax, title in ((left, "depth"), (right, None)):
        ax.plot([], [], "--", lw=0.9, color=ROLES["reference"], label="normal approx.")
        ax.legend(title=title, fontsize=7)
    return figure
