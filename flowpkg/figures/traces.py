"""Seismograms: data, noise-free truth and predictions of posterior samples."""

import matplotlib.pyplot as plt

from flowpkg.figures.ensembles import bands
from flowpkg.figures.style import ROLES, WIDTH


def draw(evaluation, options):
    """Draw each trace of the first reference observation with its data, the predicted band and the misfit below."""
    arrays = evaluation.arrays
    times, depths = 1000.0 * arrays["times"], arrays["receiver_depth"]
    shape = (len(depths), len(times))
    observed = arrays["reference_y"][0].reshape(shape)
    predicted = arrays["reference_predicted"][0].reshape(-1, *shape)
    truth = arrays["reference_true_data"][0].reshape(shape)
    figure, axes = plt.subplots(2, 2, figsize=(WIDTH, 4.4), squeeze=False, sharex=True, sharey=True)
    for ax, depth, data, exact, found in zip(axes.flat, depths, observed, truth, predicted.swapaxes(0, 1)):
        low, _, middle, _, high = bands(found)
        ax.fill_between(times, low, high, color=ROLES["generated"], alpha=0.4, lw=0, label="posterior, 95 %")
        ax.plot(times, middle, color=ROLES["generated"], lw=1.4, label="posterior, median")
        ax.plot(times, exact, color=ROLES["reference"], lw=1.0, ls="--", label="truth without noise")
        ax.plot(times, data, "o", ms=2.5, color=ROLES["data"], label="data")
        ax.set_title(f"Receiver at {depth:.0f} m")
    for ax in axes[:, 0]:
        ax.set_ylabel("particle velocity\n(direct wave = 1)")
    for ax in axes[-1]:
        ax.set_xlabel("time (ms)")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure
