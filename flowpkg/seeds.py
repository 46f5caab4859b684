"""Independent random streams, all from the one seed of a run."""

from __future__ import annotations

import zlib

import numpy as np


def generator(seed: int, *purpose: str | int) -> np.random.Generator:
    """Return a NumPy generator for one purpose of a run.

    Streams of different purposes are independent, so that drawing one number more in one place changes
    nothing elsewhere.

    Args:
        seed: the run's seed from the config, a non-negative integer.
        purpose: words and integers that name the stream, for example `"simulate", "train"`.
    """
    words = [zlib.crc32(word.encode()) if isinstance(word, str) else int(word) for word in purpose]
    return np.random.default_rng(np.random.SeedSequence([int(seed), *words]))


def tensorflow_seed(seed: int, *purpose: str | int) -> list[int]:
    """Return a two-integer seed for TensorFlow's stateless random functions."""
    return [int(word) for word in generator(seed, *purpose).integers(0, 2**31 - 1, size=2)]
