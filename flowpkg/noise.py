"""Data noise that is drawn afresh for each batch of training."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from flowpkg.errors import SettingsError
from flowpkg.seeds import generator


def noise_rows(problem, width: int) -> np.ndarray:
    """Return the matrix `[M, M]` that turns standard normal e into data noise, `e @ rows`, in the units of y.

    Raises:
        SettingsError: the problem states no data noise.
    """
    if not getattr(problem, "noise", 0.0) > 0:
        raise SettingsError("training.fresh_noise: expected a problem that states its data noise; got one without")
    identity = np.eye(width)
    return problem.shaped_noise(identity) if hasattr(problem, "shaped_noise") else problem.noise * identity


def split_noise(problem, arrays: Mapping[str, np.ndarray], split: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the data of a split with noise and without it, both `[n, M]`.

    Exact data get the error that the problem states; noisy data are freed of the noise that was drawn for them.

    Args:
        problem: with `noise_free` and `noise`.
        arrays: `<split>_y`, and `<split>_e` where the data are noisy.
        split: `train`, `validation` or `test`.
        seed: the run's seed.
    """
    y = arrays[f"{split}_y"]
    rows = noise_rows(problem, y.shape[1])
    if problem.noise_free:
        return y + generator(seed, "data error", split).standard_normal(y.shape) @ rows, y
    return y, y - arrays[f"{split}_e"] @ rows
