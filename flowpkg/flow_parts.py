"""Parts that builders of flows share: couplings and mixings by name, and a stack of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import tensorflow as tf

from flowpkg.bijectors import (
    ActNorm,
    AffineCoupling,
    FlowBijector,
    OrthogonalMixing,
    Permutation,
    SplineCoupling,
)
from flowpkg.conditioners import Conditioner
from flowpkg.errors import SettingsError


def _affine(settings: Mapping[str, Any]) -> Callable:
    return partial(AffineCoupling, log_scale_bound=settings["log_scale_bound"])


def _spline(settings: Mapping[str, Any]) -> Callable:
    return partial(SplineCoupling, bins=settings["bins"], bound=settings["bound"], min_slope=settings["min_slope"])


COUPLINGS: dict[str, Callable[[Mapping[str, Any]], Callable]] = {"affine": _affine, "spline": _spline}

MIXINGS: dict[str, Callable] = {
    "none": lambda dim, rng, dtype: None,
    "permutation": lambda dim, rng, dtype: Permutation(rng.permutation(dim), dtype=dtype),
    "orthogonal": lambda dim, rng, dtype: OrthogonalMixing.random(dim, rng, dtype=dtype),
}


def coupling_layers(
    settings: Mapping[str, Any],
    dim: int,
    rng: np.random.Generator,
    *,
    count: int,
    mixing: str,
    context_dim: int = 0,
    dtype: tf.DType = tf.float32,
) -> list[FlowBijector]:
    """Return `count` couplings of vectors that take turns in which part they transform.

        [mixing] -> coupling -> [actnorm] -> [mixing] -> coupling -> ...

    Args:
        settings: the `flow` section of a run.
        dim: length of the vectors.
        rng: source of the initial weights and mixing matrices.
        mixing: fixed mixing before each coupling, a name of `MIXINGS`.
        context_dim: width of the context that the conditioners see.

    Raises:
        SettingsError: a name in `settings` is unknown.
    """
    if settings["coupling"] not in COUPLINGS:
        raise SettingsError(f"flow.coupling: expected one of {', '.join(COUPLINGS)}; got {settings['coupling']}")
    if mixing not in MIXINGS:
        raise SettingsError(f"flow.mixing: expected one of {', '.join(MIXINGS)}; got {mixing}")
    coupling = COUPLINGS[settings["coupling"]](settings)
    conditioner = partial(
        Conditioner, hidden=settings["hidden"], activation=settings["activation"], rng=rng, dtype=dtype
    )
    layers: list[FlowBijector] = []
    for index in range(count):
        mixed = MIXINGS[mixing](dim, rng, dtype)
        if mixed is not None:
            layers.append(mixed)
        layers.append(coupling(dim, conditioner, transform_first=index % 2 == 1, context_dim=context_dim, dtype=dtype))
        if settings["actnorm"]:
            layers.append(ActNorm(dim, dtype=dtype))
    return layers
