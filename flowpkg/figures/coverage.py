"""Observed against nominal coverage of central credible intervals."""

import matplotlib.pyplot as plt

from flowpkg.figures.style import CLASS_COLOURS, ROLES, WIDTH, axis_names


def draw(evaluation, options):
    """Draw coverage (left) and its difference from nominal (right) with the 95 % band of a calibrated posterior."""
    arrays = evaluation.arrays
    levels, names = arrays["coverage_levels"], axis_names(evaluation)
    few = len(names) <= len(CLASS_COLOURS)
    figure, axes = plt.subplots(1, 2, figsize=(WIDTH, 3.2))
    for ax, base in ((axes[0], 0.0), (axes[1], levels)):
        ax.fill_between(
            levels, arrays["coverage_low"] - base, arrays["coverage_high"] - base, color="0.85", label="95 % band"
        )
        for index, (observed, name) in enumerate(zip(arrays["coverage_observed"], names, strict=True)):
            label = name if few else f"{len(names)} parameters" if index == 0 else None
            ax.plot(levels, observed - base, lw=1.0, color=CLASS_COLOURS[index] if few else ROLES["data"],
                    alpha=0.9 if few else 0.5, label=label)  # fmt: skip
        ax.plot(levels, levels - base, color=ROLES["reference"], lw=0.8, ls="--")
        ax.set(xlabel="nominal coverage", xlim=(0, 1))
    axes[0].set(ylabel="observed coverage", ylim=(0, 1), aspect="equal")
    axes[1].set(ylabel="observed - nominal")
    axes[0].legend(loc="upper left")
    return figure
