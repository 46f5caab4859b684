"""From one held-out image to another through latent space."""

import matplotlib.pyplot as plt

from flowpkg.figures.image_panels import montage, show_images
from flowpkg.figures.style import WIDTH


def draw(evaluation, options):
    """Draw, for each pair of images, the straight way between their latents (above) and the spherical one (below)."""
    pairs = evaluation.arrays["interpolation_images"]
    sheet = montage(pairs[0, 0], pairs.shape[2])
    height = WIDTH * sheet.shape[0] / sheet.shape[1]
    figure, axes = plt.subplots(2 * len(pairs), 1, figsize=(WIDTH, 2 * len(pairs) * (height + 0.08)))
    for row, ax in enumerate(axes):
        show_images(ax, pairs[row // 2, row % 2], pairs.shape[2])
        way = ("straight", "spherical")[row % 2]
        ax.text(-0.01, 0.5, way, transform=ax.transAxes, rotation=90, ha="right", va="center", fontsize=8)
    return figure
