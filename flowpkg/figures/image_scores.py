"""Histograms of every anomaly score of images."""

from flowpkg.figures.image_panels import SCORE_NAMES, group_histogram, score_groups
from flowpkg.figures.style import panel_grid


def draw(evaluation, options):
    """Draw the distribution of each score over held-out normal images and over each kind of others."""
    arrays = evaluation.arrays
    names = [str(name) for name in arrays["score_names"]]
    figure, axes = panel_grid(len(names), 2, height=1.9)
    for ax, name in zip(axes, names):
        group_histogram(ax, score_groups(arrays, name))
        chosen = "   (named in the config)" if name == str(arrays["best_score"]) else ""
        unit = " (bits per dimension)" if name == "nll" else ""
        ax.set_title(f"{SCORE_NAMES[name]}{unit}{chosen}", fontsize=8.5)
        ax.set_ylabel("images (%)")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure
