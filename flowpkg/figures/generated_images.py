"""Generated images at several temperatures, by PCA sampling, and held-out ones."""

import matplotlib.pyplot as plt

from flowpkg.figures.image_panels import show_images
from flowpkg.figures.style import WIDTH, grid_shape


def draw(evaluation, options):
    """Draw a block of sixteen images for each temperature, for PCA sampling, and of held-out images."""
    arrays, metrics = evaluation.arrays, evaluation.metrics
    blocks = []
    for index, temperature in enumerate(arrays["temperatures"]):
        value, error = (arrays[f"temperature_frechet_ratio{key}"][index] for key in ("", "_se"))
        title = f"generated, temperature {temperature:g}\nFréchet ratio {value:.2f} ± {error:.2f}"
        blocks.append((title, arrays["temperature_images"][index]))
    value, error = metrics["frechet_ratio_pca_sampling"], metrics["frechet_ratio_pca_sampling_se"]
    count, scale = int(arrays["pca_components"]), float(arrays["pca_covariance_scale"])
    title = f"PCA sampling: {count} components, covariance × {scale:g}\nFréchet ratio {value:.2f} ± {error:.2f}"
    blocks += [(title, arrays["pca_images"]), ("held-out images\nFréchet ratio 1", arrays["heldout_images"])]
    rows, columns = grid_shape(len(blocks), 3)
    figure, axes = plt.subplots(rows, columns, figsize=(WIDTH, rows * (WIDTH / columns + 0.42)), squeeze=False)
    for ax in axes.ravel():
        ax.set_axis_off()
    for ax, (title, images) in zip(axes.ravel(), blocks):
        show_images(ax, images, 4)
        ax.set_title(title, fontsize=7.5)
    return figure
