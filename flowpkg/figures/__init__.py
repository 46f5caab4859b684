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
        "labels_and_latent",
        "conditional_samples",
        "class_probabilities",
        "reliability",
        "latent_regions",
        "posterior_arms",
        "posterior_pairs",
        "sbc_ranks",
        "sbc_ecdf",
        "coverage",
        "resimulation",
        "certificate",
        "recovery",
        "arm_explorer",
        "valley_section",
        "data_fit",
        "velocity_profile",
        "traces",
        "profile_spread",
        "noise_recovery",
        "reference_marginals",
        "noise_levels",
        "generated_images",
        "latent_outliers",
        "latent_planes",
        "round_trip_images",
        "interpolations",
        "nearest_images",
        "bits_over_training",
        "image_scores",
        "image_roc",
        "likelihood_misleads",
        "class_samples",
        "class_latents",
        "confusion",
        "label_transfer",
        "least_likely_images",
    )
}


PAGES = ("arm_explorer",)


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


def get_page(name: str) -> Callable:
    """Return the function `page(evaluation)` of an interactive page."""
    return importlib.import_module(figure_module(name)).page
