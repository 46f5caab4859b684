"""One latent under every label: style kept, class changed."""

import matplotlib.pyplot as plt
import numpy as np

from flowpkg.figures.image_panels import show_images
from flowpkg.figures.style import WIDTH


def draw(evaluation, options):
    """Draw held-out images (left) and their latents decoded under each label (right); the true label is framed."""
    arrays = evaluation.arrays
    names = [str(name) for name in arrays["class_names"]]
    source, images, label = arrays["transfer_source"], arrays["transfer_images"], arrays["transfer_label"]
    rows, classes = images.shape[:2]
    height, width = source.shape[1:3]
    total = min(WIDTH, 1.1 * (classes + 2))
    size = total / (classes + 1.5)
    figure, (left, right) = plt.subplots(1, 2, figsize=(total, size * rows + 0.5), width_ratios=(1, classes))
    show_images(left, source, 1)
    left.set_title("image", fontsize=8)
    show_images(right, images.reshape(-1, *images.shape[2:]), classes)
    for index, name in enumerate(names):
        right.text((width + 1) * index + 0.5 * (width - 1), -1.5, name, ha="center", va="bottom", fontsize=8)
    for row, true in enumerate(np.asarray(label)):
        corner = ((width + 1) * true - 0.8, (height + 1) * row - 0.8)
        right.add_patch(plt.Rectangle(corner, width + 0.6, height + 0.6, fill=False, lw=1.3, color="#D55E00"))
    right.set_title("its latent z under every label", fontsize=8, pad=14)
    left.set_title("image", fontsize=8, pad=14)
    return figure
