"""Panels of images, and the colours of kinds of images."""

from __future__ import annotations

import numpy as np

from flowpkg.figures.style import ROLES, WIDTH

KIND_COLOURS = ("#D55E00", "#CC79A7", "#009E73", "#B8A800", "#4D4D4D")
SCORE_NAMES = {
    "nll": "negative log-likelihood",
    "typicality": "typicality",
    "typicality_5": "typicality, groups of 5",
    "typicality_10": "typicality, groups of 10",
    "latent": "latent statistics",
    "complexity": "likelihood corrected for complexity",
    "combined": "combined",
    "pca_no_flow": "PCA error (no flow)",
}


def kind_colour(index: int) -> str:
    """Return the colour of a kind of anomalous images, the same in all figures."""
    return KIND_COLOURS[index % len(KIND_COLOURS)]


def montage(images: np.ndarray, columns: int, *, gap: int = 1) -> np.ndarray:
    """Return images `[n, H, W, C]` side by side in rows of `columns`, on white, as one picture of 0 to 255."""
    images = np.asarray(images)
    n, height, width, channels = images.shape
    if channels != 3:
        images = np.repeat(images.mean(axis=-1, keepdims=True), 3, axis=-1)
    rows = -(-n // columns)
    sheet = np.full((rows * (height + gap) - gap, columns * (width + gap) - gap, 3), 255, np.uint8)
    for index, image in enumerate(images):
        top, left = (height + gap) * (index // columns), (width + gap) * (index % columns)
        sheet[top : top + height, left : left + width] = image
    return sheet


def show_images(ax, images: np.ndarray, columns: int, *, title: str = "", labels=None, label_size: float = 6.5) -> None:
    """Draw images in rows of `columns`, each with a label beneath it if given."""
    height, width = np.shape(images)[1:3]
    gap = 1 if labels is None else max(2, round(0.34 * height))
    sheet = montage(images, columns, gap=gap)
    # Room below the last row, for its labels.
    room = gap if labels is not None else 0
    ax.imshow(sheet, interpolation="nearest")
    ax.set(xlim=(-0.5, sheet.shape[1] - 0.5), ylim=(sheet.shape[0] - 0.5 + room, -0.5))
    ax.set_axis_off()
    if title:
        ax.set_title(title, fontsize=9)
    for index, label in enumerate(labels if labels is not None else ()):
        x = (width + gap) * (index % columns) + 0.5 * (width - 1)
        y = (height + gap) * (index // columns) + height + 0.04 * gap
        ax.text(x, y, label, ha="center", va="top", fontsize=label_size)


def sheet_height(rows: int, columns: int, shape, *, width: float = WIDTH, labelled: bool = False) -> float:
    """Return the height in inches of `rows` x `columns` images drawn `width` inches wide."""
    factor = 1.34 if labelled else 1.03
    return width / (columns * (factor if labelled else 1.0)) * factor * rows * shape[0] / shape[1]


def group_histogram(ax, groups, *, bins: int = 40) -> None:
    """Draw histograms of several groups `(label, values, colour)` as shares; outliers go into the end bins."""
    everything = np.concatenate([values for _, values, _ in groups])
    low, high = np.quantile(everything, [0.002, 0.985])
    if not high > low:
        low, high = low - 0.5, low + 0.5
    edges = np.linspace(low, high, bins + 1)
    for label, values, colour in groups:
        weights = np.full(len(values), 100.0 / len(values))
        values = np.clip(values, low, high)
        ax.hist(values, edges, weights=weights, histtype="stepfilled", color=colour, alpha=0.2)
        ax.hist(
            values, edges, weights=weights, histtype="step", color=colour, lw=1.2, label=f"{label} ({len(values):,})"
        )


def score_groups(arrays, name: str) -> list[tuple[str, np.ndarray, str]]:
    """Return the groups of one score for `group_histogram`: held-out normal images, then every kind."""
    groups = [("held-out normal", arrays[f"score_normal_{name}"], ROLES["data"])]
    for index, kind in enumerate(arrays["kinds"]):
        groups.append((str(kind), arrays[f"score_{kind}_{name}"], kind_colour(index)))
    return groups
