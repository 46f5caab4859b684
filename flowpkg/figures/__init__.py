"""Figures, one module each; NumPy and Matplotlib only."""

from __future__ import annotations

import importlib
from collections.abc import Callable

from flowpkg.errors import SettingsError

FIGURES: dict[str, str] = {
    name: f"flowpkg.figures.{name}"
    for name in (
        "data_and_latent",
        "generated",
        "density",
        "latent_grid",
        "lowest_density",
        "log_prob",
        "training_curves",
        "latent_scatter",
        "score_distributions",
        "roc",
    )
}


def figure_module(name: str) -> str:
    """Return the module that draws a figure.

    Raises:
        SettingsError: no figure of that name.
    """
    if name not in FIGURES:
        raise SettingsError(f"figure: expected one of {', '.join(FIGURES)}; got {name}")
    return FIGURES[name]


def get_draw(name: str) -> Callable:
    """Return the function `draw(evaluation, options)` of a figure."""
    return importlib.import_module(figure_module(name)).draw
