"""Are generated images copies of training images?"""

import matplotlib.pyplot as plt

from flowpkg.figures.image_panels import group_histogram, show_images
from flowpkg.figures.style import ROLES, WIDTH


def draw(evaluation, options):
    """Draw generated and held-out images over their nearest training images, and all distances below."""
    arrays, metrics = evaluation.arrays, evaluation.metrics
    figure = plt.figure(figsize=(WIDTH, 6.0))
    grid = figure.add_gridspec(5, 1, height_ratios=(1, 1.2, 1, 1.2, 1.9))
    rows = (
        ("nearest_generated", "generated images, those closest to any training image", None),
        ("nearest_train", "the nearest training image of each, and its distance", "nearest_distance"),
        ("nearest_heldout", "held-out images", None),
        ("nearest_heldout_train", "the nearest training image of each, and its distance", "nearest_heldout_distance"),
    )
    for row, (name, title, distance) in enumerate(rows):
        labels = None if distance is None else [f"{value:.2f}" for value in arrays[distance]]
        images = arrays[name]
        show_images(figure.add_subplot(grid[row]), images, len(images), title=title, labels=labels, label_size=7)
    ax = figure.add_subplot(grid[4])
    groups = [
        ("held-out", arrays["neighbour_distance_heldout"], ROLES["data"]),
        ("generated", arrays["neighbour_distance_generated"], ROLES["generated"]),
    ]
    group_histogram(ax, groups)
    ratio, error = metrics["nearest_neighbour_ratio"], metrics["nearest_neighbour_ratio_se"]
    ax.set(
        xlabel="distance to the nearest training image (pixels of 0 to 1; end bins hold all beyond)",
        ylabel="images (%)",
    )
    # Room for the legend above the bars.
    ax.set_ylim(top=1.5 * ax.get_ylim()[1])
    ax.legend(title=f"ratio of means {ratio:.2f} ± {error:.2f}")
    return figure
