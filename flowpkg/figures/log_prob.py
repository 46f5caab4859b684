"""Exact against learned log-density, point by point."""

import matplotlib.pyplot as plt
import numpy as np

from flowpkg.figures.style import ROLES, scatter


def draw(evaluation, options):
    """Draw each held-out point at (exact, learned) log-density; a perfect flow puts all on the diagonal."""
    truth, learned = (evaluation.arrays[name] for name in ("heldout_true_log_prob", "heldout_log_prob"))
    shown = np.stack([truth, learned], axis=-1)[: options["points"]]
    figure, ax = plt.subplots(figsize=(3.8, 3.9))
    finite = shown[np.isfinite(shown).all(axis=1)]
    low, high = finite.min(), finite.max()
    ax.plot([low, high], [low, high], color=ROLES["reference"], lw=0.9, ls="--", label="learned = exact")
    scatter(ax, finite, color=ROLES["data"], alpha=0.5, label=f"held-out point ({len(finite):,} shown)", s=6)
    ax.set(xlabel="exact log-density (nats)", ylabel="learned log-density (nats)", aspect="equal")
    text = f"mean over {len(truth):,} points\nexact {truth.mean():.4f}\nlearned {learned.mean():.4f} nats"
    ax.text(0.97, 0.05, text, transform=ax.transAxes, ha="right", va="bottom", fontsize=8)
    ax.legend(loc="upper left")
    return figure
