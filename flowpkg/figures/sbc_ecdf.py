"""ECDF differences of the ranks of simulation-based calibration."""

import matplotlib.pyplot as plt

from flowpkg.figures.style import CLASS_COLOURS, ROLES, WIDTH, axis_names


def draw(evaluation, options):
    """Draw the ECDF of each parameter's ranks minus the uniform one, with the simultaneous 95 % band."""
    arrays = evaluation.arrays
    grid, names = arrays["ecdf_grid"], axis_names(evaluation)
    figure, ax = plt.subplots(figsize=(WIDTH * 0.75, 3.0))
    ax.fill_between(grid, arrays["ecdf_low"], arrays["ecdf_high"], color="0.88", label="95 % band, whole curve")
    ax.axhline(0.0, color=ROLES["reference"], lw=0.8)
    few = len(names) <= len(CLASS_COLOURS)
    for index, (line, name) in enumerate(zip(arrays["ecdf_difference"], names, strict=True)):
        label = name if few else f"{len(names)} parameters" if index == 0 else None
        ax.plot(grid, line, lw=1.0, color=CLASS_COLOURS[index] if few else ROLES["data"], alpha=0.9 if few else 0.5,
                label=label)  # fmt: skip
    ax.set(xlabel="rank of the truth (share)", ylabel="ECDF difference", xlim=(0, 1))
    ax.legend(loc="upper right", ncols=3)
    low, high = ax.get_ylim()
    ax.set_ylim(low, high + 0.25 * (high - low))
    return figure
