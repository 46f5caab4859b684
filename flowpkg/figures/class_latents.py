"""What of the class is left in the latents, and what the outputs say about it."""

import matplotlib.pyplot as plt
import numpy as np

from flowpkg.figures.style import WIDTH, class_colour, class_marker, scatter, unit_circles


def draw(evaluation, options):
    """Draw held-out latents z coloured by class, and beside them the label part y of the outputs where there is one."""
    arrays = evaluation.arrays
    names, label = [str(name) for name in arrays["class_names"]], arrays["heldout_label"]
    panels = [("heldout_plane", "latents z: style, without the class", "principal component {} of z (sd)")]
    if "heldout_label_plane" in arrays:
        panels.append(("heldout_label_plane", "label part y of the outputs", "principal component {} of y"))
    figure, axes = plt.subplots(1, len(panels), figsize=(WIDTH if len(panels) > 1 else 4.6, 4.0), squeeze=False)
    for ax, (key, title, name) in zip(axes[0], panels):
        plane = arrays[key]
        if plane.shape[1] < 2:
            plane = np.column_stack([plane, np.zeros(len(plane))])
        for index, text in enumerate(names):
            points = plane[label == index][: options["points"]]
            scatter(
                ax, points, color=class_colour(index), marker=class_marker(index), s=9, alpha=0.7,
                label=f"{text} ({len(points)})",
            )  # fmt: skip
        if key == "heldout_plane":
            unit_circles(ax, label=False)
            ax.set_aspect("equal")
        ax.set(xlabel=name.format(1), ylabel=name.format(2), title=title)
    figure.legend(
        *axes[0][0].get_legend_handles_labels(), loc="outside lower center", ncols=min(5, len(names)), markerscale=1.8
    )
    return figure
