"""A regular lattice of the latent plane and its image among the data."""

import matplotlib.pyplot as plt

from flowpkg.figures.style import LATENT_NAMES, ROLES, WIDTH, axis_names, data_limits, name_axes, scatter, unit_circles


def draw_lattice(ax, lines):
    """Draw lines `[lines, points, 2]`: the first half in one colour, the crossing half in another."""
    half = len(lines) // 2
    for index, line in enumerate(lines):
        ax.plot(*line.T, color=ROLES["latent" if index < half else "generated"], lw=0.7, zorder=2)


def draw(evaluation, options):
    """Draw the lattice out to three standard deviations (left) and where decoding takes it (right)."""
    arrays = evaluation.arrays
    figure, (left, right) = plt.subplots(1, 2, figsize=(WIDTH, 3.4))
    draw_lattice(left, arrays["lattice_z"])
    unit_circles(left, label=False)
    left.set(xlim=(-3.3, 3.3), ylim=(-3.3, 3.3), aspect="equal")
    name_axes(left, LATENT_NAMES, "Regular lattice in latent space")
    points = arrays["heldout_x"][: options["points"]]
    scatter(right, points, color="0.8")
    draw_lattice(right, arrays["lattice_x"])
    data_limits(right, points)
    name_axes(right, axis_names(evaluation), "The lattice decoded, data in grey")
    return figure
