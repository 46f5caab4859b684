"""Images before and after a round trip through latent space."""

import matplotlib.pyplot as plt

from flowpkg.figures.image_panels import montage, show_images
from flowpkg.figures.style import WIDTH


def draw(evaluation, options):
    """Draw held-out images (above) and the same after encode and decode (below)."""
    arrays = evaluation.arrays
    before, after = arrays["round_trip_before"], arrays["round_trip_after"]
    sheet = montage(before, len(before))
    figure, axes = plt.subplots(2, 1, figsize=(WIDTH, 2 * (WIDTH * sheet.shape[0] / sheet.shape[1] + 0.28)))
    changed = int((before != after).sum())
    worst = 256.0 * evaluation.metrics["round_trip_max_abs"]
    show_images(axes[0], before, len(before), title="held-out images")
    title = (
        f"after encode and decode: largest error {worst:.1g} grey levels, {changed} of {before.size:,} levels changed"
    )
    show_images(axes[1], after, len(after), title=title)
    return figure
