"""Whole grey levels to continuous values and back."""

from __future__ import annotations

import numpy as np


def dequantise(levels: np.ndarray, rng: np.random.Generator | int, step: int = 1) -> np.ndarray:
    """Return images with uniform noise within their levels, one row each.

        x = level + step * u,   u ~ U[0, 1)

    Args:
        levels: whole levels `[n, H, W, C]`, multiples of `step`.
        rng: random numbers, or a seed of them.
        step: distance of levels; 1 for 8-bit data.

    Returns:
        float32 `[n, H W C]`; below the next level even after rounding to single precision.
    """
    rows = np.asarray(levels, np.float32).reshape(len(levels), -1)
    noise = np.random.default_rng(rng).random(rows.shape, np.float32)
    return np.minimum(rows + step * noise, np.nextafter(rows + step, np.float32(0.0)))


def to_levels(x: np.ndarray, shape: tuple[int, int, int], step: int = 1) -> np.ndarray:
    """Return rows `[n, H W C]` as images of the levels they lie in, uint8 `[n, H, W, C]`; those outside are clipped.

    Values that are no numbers become level 0.
    """
    level = np.floor(np.nan_to_num(np.asarray(x, np.float64), nan=0.0) / step)
    return (np.clip(level, 0, 255 // step) * step).astype(np.uint8).reshape(-1, *shape)
