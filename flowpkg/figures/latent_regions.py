"""Which mode each latent region decodes to, for every label."""

import numpy as np
from matplotlib.colors import BoundaryNorm, ListedColormap

from flowpkg.figures.style import CLASS_COLOURS, axis_names, name_axes, panel_grid, unit_circles


def draw(evaluation, options):
    """Draw the latent plane of each label coloured by the nearest mode of the decoded point, and the modes."""
    arrays = evaluation.arrays
    regions, centres = arrays["region_mode"], arrays["centres"]
    z1, z2 = arrays["region_z1"], arrays["region_z2"]
    colours = ListedColormap(CLASS_COLOURS[: len(centres)])
    norm = BoundaryNorm(np.arange(len(centres) + 1) - 0.5, len(centres))
    figure, axes = panel_grid(len(regions) + 1, 3, height=2.3)
    axes[0].scatter(centres[:, 0], centres[:, 1], c=np.arange(len(centres)), cmap=colours, norm=norm, s=160)
    for centre, k in zip(centres, arrays["mode_label"], strict=True):
        axes[0].text(*centre, str(k), ha="center", va="center", fontsize=8, color="white", weight="bold")
    reach = 1.25 * np.abs(centres).max()
    axes[0].set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
    name_axes(axes[0], axis_names(evaluation), "Modes and their labels")
    for k, (ax, region) in enumerate(zip(axes[1:], regions, strict=True)):
        ax.imshow(
            region, origin="lower", extent=(z1[0], z1[-1], z2[0], z2[-1]), cmap=colours, norm=norm,
            interpolation="nearest", alpha=0.85,
        )  # fmt: skip
        unit_circles(ax, label=False)
        name_axes(ax, ("latent $z_1$", "latent $z_2$"), f"Decoded with label {k}")
    return figure
