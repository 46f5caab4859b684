"""Which mode each region of the latent plane decodes to, label by label."""

import matplotlib.pyplot as plt
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.lines import Line2D

from flowpkg.figures.style import (
    LATENT_NAMES,
    WIDTH,
    class_colour,
    class_marker,
    grid_shape,
    plane_names,
    unit_circles,
)


def draw(evaluation, options):
    """Draw a latent plane for each label, coloured by mode, and the modes in the data plane in the same colours."""
    arrays = evaluation.arrays
    regions, centres = arrays["region_mode"], arrays["centres"]
    z1, z2 = arrays["region_z1"], arrays["region_z2"]
    count, modes = len(regions), len(centres)
    rows, columns = grid_shape(count, 2 if count == 4 else 3)
    figure = plt.figure(figsize=(WIDTH, {1: 3.4, 2: 4.0}.get(rows, 5.0)))
    planes, beside = figure.subfigures(1, 2, width_ratios=[{1: 1.1, 2: 1.6}.get(columns, 2.0), 1.0])
    axes = planes.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    colours = ListedColormap([class_colour(m) for m in range(modes)])
    norm = BoundaryNorm([m - 0.5 for m in range(modes + 1)], modes)
    extent = (z1[0], z1[-1], z2[0], z2[-1])
    for position, ax in enumerate(axes.flat):
        if position >= count:
            ax.set_axis_off()
            continue
        ax.imshow(
            regions[position],
            origin="lower",
            extent=extent,
            cmap=colours,
            norm=norm,
            interpolation="nearest",
            alpha=0.8,
        )
        unit_circles(ax, label=count == 1)
        ax.set_title(f"Label {position}", fontsize=9)
        ax.set(xlim=extent[:2], ylim=extent[2:], aspect="equal")
        if position % columns == 0:
            ax.set_ylabel(LATENT_NAMES[1])
        if position + columns >= count:
            ax.set_xlabel(LATENT_NAMES[0])
            ax.tick_params(labelbottom=True)
    ax = beside.subplots()
    for m, (a, b) in enumerate(centres):
        ax.plot(a, b, class_marker(m), color=class_colour(m), ms=8, mec="0.3", mew=0.5)
        ax.annotate(
            f"{int(arrays['mode_label'][m])}",
            (a, b),
            xytext=(0, 6),
            textcoords="offset points",
            ha="center",
            fontsize=8,
        )
    ax.margins(0.18)
    ax.set_aspect("equal")
    names = plane_names(evaluation)
    ax.set(xlabel=names[0], ylabel=names[1])
    ax.set_title("Modes, with their label", fontsize=9)
    handles = [
        Line2D([], [], ls="", marker=class_marker(m), color=class_colour(m), mec="0.3", mew=0.5, label=f"mode {m}")
        for m in range(modes)
    ]
    beside.legend(handles=handles, loc="outside lower center", ncols=2, columnspacing=1.0, handletextpad=0.2)
    return figure
