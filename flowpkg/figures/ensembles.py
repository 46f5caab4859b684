"""Pieces that the figures of posterior ensembles along a profile share."""

from __future__ import annotations

import numpy as np

from flowpkg.figures.style import ROLES

# Central intervals of 68 and 95 %.
LEVELS = (0.025, 0.16, 0.5, 0.84, 0.975)
OBSERVATION_TITLES = ("typical profile", "close to the prior's median", "in the prior's tails")


def title_of(index: int) -> str:
    """Return the title of a reference observation."""
    text = OBSERVATION_TITLES[index] if index < len(OBSERVATION_TITLES) else ""
    return f"Observation {index + 1}" + (f": {text}" if text else "")


def bands(samples: np.ndarray) -> np.ndarray:
    """Return the quantiles `[5, P]` of samples `[n, P]` that bands are drawn from."""
    return np.quantile(samples, LEVELS, axis=0)


def reference_name(evaluation) -> str:
    """Return the name of the sampler behind the reference posteriors."""
    return str(evaluation.arrays["reference_name"]) if "reference_name" in evaluation.arrays else "reference"


def draw_profile(ax, axis, values, *, upright: bool, **look) -> None:
    """Draw values along a profile, which runs to the right, or down the page if `upright`."""
    ax.plot(*((values, axis) if upright else (axis, values)), **look)


def draw_ensemble(ax, axis, samples, reference, truth, *, upright: bool, name: str, curves: int = 40) -> None:
    """Draw an ensemble with its bands, the band of the reference posterior and the truth along a profile.

    Args:
        ax: the panel.
        axis: `[P]`.
        samples: of the flow, `[n, P]`.
        reference: of the reference posterior, `[n, P]`.
        truth: `[P]`.
        upright: the profile runs down the page.
        name: of the sampler behind the reference.
        curves: samples drawn as curves.
    """
    low, inner_low, middle, inner_high, high = bands(samples)
    fill = ax.fill_betweenx if upright else ax.fill_between
    fill(axis, low, high, color=ROLES["generated"], alpha=0.25, lw=0, label="flow, 95 %")
    fill(axis, inner_low, inner_high, color=ROLES["generated"], alpha=0.4, lw=0, label="flow, 68 %")
    for row in samples[:curves]:
        draw_profile(ax, axis, row, upright=upright, color=ROLES["generated"], lw=0.4, alpha=0.35)
    draw_profile(ax, axis, middle, upright=upright, color="#9A6A00", lw=1.1, label="flow, median")
    found = bands(reference)
    for index, label in ((0, f"{name}, 95 %"), (4, None)):
        draw_profile(ax, axis, found[index], upright=upright, color=ROLES["reference"], ls="--", lw=0.9, label=label)
    draw_profile(ax, axis, truth, upright=upright, color=ROLES["data"], lw=1.5, label="truth")
