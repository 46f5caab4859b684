"""The look that all figures share, and how they are saved."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Circle

from flowpkg.errors import DataError
from flowpkg.files import atomic_path

STYLE_SHEET = Path(__file__).with_name("style.mplstyle")

# Okabe & Ito's palette: told apart by colour-blind readers and in grey print.
ROLES = {"data": "#0072B2", "latent": "#009E73", "generated": "#E69F00", "reference": "#4D4D4D", "outlier": "#D55E00"}

LABEL_BOX = {"boxstyle": "round,pad=0.1", "facecolor": "white", "edgecolor": "none", "alpha": 0.8}

WIDTH = 6.8  # inches, the text width of an article


@contextmanager
def use_style(path: str | Path = STYLE_SHEET) -> Iterator[None]:
    """Draw with a Matplotlib style sheet within the block.

    Raises:
        DataError: the style sheet cannot be read.
    """
    try:
        context = plt.style.context(["default", str(path)])
        context.__enter__()
    except OSError as error:
        raise DataError(f"{path}: expected a Matplotlib style sheet; got {error}") from None
    try:
        yield
    finally:
        plt.close("all")
        context.__exit__(None, None, None)


def save_figure(figure: Figure, path: str | Path, metadata: Mapping[str, str], dpi: int) -> None:
    """Write a figure as PNG or PDF, by suffix; the same figure gives the same bytes.

    Args:
        figure: the figure.
        path: file name; moved into place once complete.
        metadata: text stored in the file, such as the hash of the run's settings.
        dpi: resolution of the PNG and of rasterised parts of the PDF.
    """
    text = "; ".join(f"{key}={value}" for key, value in sorted(metadata.items()))
    if Path(path).suffix == ".pdf":
        stored = {"Keywords": text, "Creator": "flow_models", "Producer": None, "CreationDate": None}
    else:
        stored = {"Description": text, "Software": None}
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=dpi, metadata=stored)


def point_colours(x: np.ndarray) -> np.ndarray:
    """Return one RGBA colour for each 2-D point: hue by angle around the median, so that neighbours look alike."""
    centred = (x - np.median(x, axis=0)) / x.std(axis=0)
    turn = (np.arctan2(centred[:, 1], centred[:, 0]) / (2.0 * np.pi)) % 1.0
    return plt.get_cmap("hsv")(turn) * np.array([0.85, 0.85, 0.85, 1.0])


def scatter(ax, points: np.ndarray, **options) -> None:
    """Draw points small and rasterised, so that vector files stay small."""
    ax.scatter(points[:, 0], points[:, 1], **({"s": 3.0, "linewidths": 0, "rasterized": True} | options))


def unit_circles(ax, *, label: bool = True) -> None:
    """Draw the circles of one, two and three standard deviations of the standard normal."""
    for radius in (1, 2, 3):
        ax.add_patch(Circle((0, 0), radius, fill=False, color=ROLES["reference"], lw=0.8, ls=(0, (4, 3)), zorder=3))
        if label:
            ax.text(
                0,
                -radius,
                f"{radius} sd",
                ha="center",
                va="bottom",
                fontsize=7,
                color=ROLES["reference"],
                zorder=4,
                bbox=LABEL_BOX,
            )


def name_axes(ax, names, title: str) -> None:
    """Set both axis names and the panel's title."""
    ax.set_xlabel(names[0])
    ax.set_ylabel(names[1])
    ax.set_title(title)


LATENT_NAMES = ("latent $z_1$", "latent $z_2$")


def axis_names(evaluation) -> list[str]:
    """Return the names of the data columns of an evaluation."""
    return [str(name) for name in evaluation.arrays["names"]]


def latent_limits(ax, latent: np.ndarray) -> None:
    """Show all latents, at least out to 3.5, on equal axes."""
    reach = max(3.5, 1.05 * float(np.abs(latent).max()))
    ax.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")


def data_limits(ax, *points: np.ndarray) -> None:
    """Show all of some point sets with a small margin; equal scale where both axes span alike."""
    low, high = np.min([p.min(axis=0) for p in points], axis=0), np.max([p.max(axis=0) for p in points], axis=0)
    margin = 0.04 * (high - low)
    ax.set(xlim=(low[0] - margin[0], high[0] + margin[0]), ylim=(low[1] - margin[1], high[1] + margin[1]))
    if 0.4 < (high[0] - low[0]) / (high[1] - low[1]) < 2.5:
        ax.set_aspect("equal")


# Okabe & Ito again, one for each class or mode.
CLASS_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#B8A800", "#4D4D4D")


def panel_grid(count: int, columns: int, *, height: float = 1.7, **options):
    """Return a figure and the axes of `count` panels in rows of at most `columns`; unused axes are removed."""
    columns = min(columns, count)
    rows = -(-count // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(WIDTH, height * rows + 0.3), squeeze=False, **options)
    for ax in axes.ravel()[count:]:
        ax.remove()
    return figure, axes.ravel()[:count]


MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
LINES = ("-", "--", "-.", ":")


def class_colour(index: int) -> str:
    """Return the colour of a class, the same in all figures."""
    return CLASS_COLOURS[index % len(CLASS_COLOURS)]


def class_marker(index: int) -> str:
    """Return the marker of a class; classes that share a colour differ in it."""
    return MARKERS[(index + index // len(MARKERS)) % len(MARKERS)]


def plane_names(evaluation) -> list[str]:
    """Return the names of the two data columns, or x1 and x2 if the evaluation names none."""
    names = axis_names(evaluation) if "names" in evaluation.arrays else []
    return names[:2] if len(names) >= 2 else ["$x_1$", "$x_2$"]


def parameter_names(evaluation, count: int) -> list[str]:
    """Return the names of `count` parameters, or x1, x2, ... where unnamed; with units for the arm."""
    names = axis_names(evaluation) if "names" in evaluation.arrays else []
    names = names[:count] if len(names) >= count else [f"x{i + 1}" for i in range(count)]
    if "lengths" in evaluation.arrays:  # the planar arm: a height and three angles
        units = ["length"] + ["rad"] * (count - 1)
        return [name if "(" in name else f"{name} ({unit})" for name, unit in zip(names, units)]
    return names


def parameter_lines(count: int) -> list[dict]:
    """Return colour and line style of each of `count` parameters that share a panel."""
    if count <= len(CLASS_COLOURS):
        colours = [class_colour(i) for i in range(count)]
    else:
        colours = list(plt.get_cmap("viridis")(np.linspace(0.0, 0.9, count)))
    return [{"color": colour, "ls": LINES[i % len(LINES)], "lw": 1.2} for i, colour in enumerate(colours)]


def grid_shape(count: int, most: int) -> tuple[int, int]:
    """Return the rows and columns, at most `most`, of a grid that holds `count` panels with few left empty."""
    rows = -(-count // most)
    return rows, -(-count // rows)


def scalar(value) -> float:
    """Return the number in an array of one element."""
    return float(np.asarray(value).reshape(-1)[0])
