"""Training, generated and anomalous images in one plane of latent space."""

import matplotlib.pyplot as plt
import numpy as np

from flowpkg.figures.image_panels import kind_colour
from flowpkg.figures.style import MARKERS, ROLES, WIDTH, scatter, unit_circles


def draw(evaluation, options):
    """Draw training and generated images (left), held-out and anomalous ones (right), on the same axes."""
    arrays, most = evaluation.arrays, options["points"]
    left = [
        ("training", "plane_train", ROLES["reference"], "o"),
        ("generated", "plane_generated", ROLES["generated"], "o"),
    ]
    right = [("held-out normal", "plane_heldout", ROLES["data"], "o")]
    for index, kind in enumerate(arrays.get("kinds", ())):
        right.append((str(kind), f"plane_{kind}", kind_colour(index), MARKERS[(index + 1) % len(MARKERS)]))
    figure, axes = plt.subplots(1, 2, figsize=(WIDTH, 4.0), sharex=True, sharey=True)
    everything = np.concatenate([arrays[key][:most] for _, key, _, _ in left + right])
    # The range of 99 % of points: single far ones would shrink all others, and are drawn at the edge.
    reach = max(3.5, 1.05 * float(np.quantile(np.abs(everything), 0.995)))
    for ax, groups in zip(axes, (left, right)):
        for label, key, colour, marker in groups:
            points = np.clip(arrays[key][:most], -reach, reach)
            scatter(ax, points, color=colour, s=7, marker=marker, alpha=0.55, label=f"{label} ({len(points):,})")
        unit_circles(ax, label=False)
        ax.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal", xlabel="principal component 1 (sd)")
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, 1.25), ncols=2, markerscale=2, columnspacing=0.8)
    axes[0].set_ylabel("principal component 2 (sd)")
    return figure
