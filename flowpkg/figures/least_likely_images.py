"""Held-out images with the lowest likelihood."""

import matplotlib.pyplot as plt
import numpy as np

from flowpkg.figures.image_panels import sheet_height, show_images
from flowpkg.figures.style import ROLES, WIDTH


def draw(evaluation, options):
    """Draw the held-out images of lowest likelihood with true and most probable class, and all likelihoods below."""
    arrays = evaluation.arrays
    names = [str(name) for name in arrays["class_names"]]
    images, bits = arrays["least_likely"], arrays["least_likely_bits"]
    columns = 10
    rows = -(-len(images) // columns)
    labels = [
        f"{names[true]}" + ("" if true == guess else f" → {names[guess]}") + f"\n{value:.2f}"
        for true, guess, value in zip(arrays["least_likely_label"], arrays["least_likely_predicted"], bits)
    ]
    height = sheet_height(rows, columns, images.shape[1:3], labelled=True)
    figure, (top, ax) = plt.subplots(2, 1, figsize=(WIDTH, height + 2.6), height_ratios=(height + 0.3, 1.9))
    show_images(
        top,
        images,
        columns,
        labels=labels,
        label_size=6,
        title="held-out images of lowest likelihood: class (→ taken for) and bits per dimension",
    )
    values = arrays["heldout_bits"]
    ax.hist(values, np.linspace(values.min(), values.max(), 50), color=ROLES["data"], alpha=0.5)
    ax.axvline(bits.min(), color=ROLES["outlier"], lw=1.2, label=f"the {len(bits)} images above lie beyond")
    ax.set(xlabel="negative log-likelihood (bits per dimension)", ylabel="held-out images")
    ax.legend()
    return figure
