"""Metrics: numbers by name, some in groups."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def plain(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Return metrics as plain floats, groups of metrics included, ready for JSON."""
    return {key: plain(value) if isinstance(value, Mapping) else float(value) for key, value in metrics.items()}


def flat(metrics: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    """Return metrics by one name each, the levels of a group joined by dots.

    >>> flat({"accuracy": 0.9, "auroc": {"ball": {"nll": 0.8}}})
    {'accuracy': 0.9, 'auroc.ball.nll': 0.8}
    """
    found: dict[str, float] = {}
    for key, value in metrics.items():
        found |= flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return found
