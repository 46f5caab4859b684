"""Generated images of each class."""

import matplotlib.pyplot as plt

from flowpkg.figures.image_panels import montage, show_images
from flowpkg.figures.style import WIDTH


def draw(evaluation, options):
    """Draw a row of generated images for each class."""
    samples = evaluation.arrays["class_samples"]
    names = [str(name) for name in evaluation.arrays["class_names"]]
    sheet = montage(samples[0], samples.shape[1])
    width = WIDTH if len(names) < 6 else 0.75 * WIDTH
    figure, axes = plt.subplots(
        len(names), 1, figsize=(width, len(names) * (width * sheet.shape[0] / sheet.shape[1] + 0.06)), squeeze=False
    )
    for ax, images, name in zip(axes[:, 0], samples, names):
        show_images(ax, images, len(images))
        ax.text(-0.01, 0.5, name, transform=ax.transAxes, ha="right", va="center", fontsize=9)
    return figure
