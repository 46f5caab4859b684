"""Builders: from settings to a `FlowModel`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import tensorflow as tf

from flowpkg.bijectors import (
    ActNorm,
    AffineCoupling,
    OrthogonalMixing,
    Permutation,
    Sequential,
    SplineCoupling,
    Standardise,
)
from flowpkg.conditioners import Conditioner
from flowpkg.errors import SettingsError
from flowpkg.model import FlowModel
from flowpkg.partition import Partition
from flowpkg.seeds import generator


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


def build_coupling_flow(
    settings: Mapping[str, Any],
    partition: Partition,
    *,
    seed: int = 0,
    training_inputs: np.ndarray | None = None,
    names: list[str] | None = None,
    context_dim: int = 0,
) -> FlowModel:
    """Build standardisation followed by `layers` couplings that take turns in which part they transform.

        x -> standardise -> [mixing] -> coupling -> [actnorm] -> [mixing] -> coupling -> ... -> z

    Args:
        settings: the `flow` section of a run, complete (see config/README.md).
        partition: dimensions of inputs and outputs.
        seed: the run's seed; sets initial weights and mixing matrices.
        training_inputs: `[n, N]` training inputs, to fit the standardisation and ActNorm; None leaves both at
            the identity, to be filled by loaded weights.
        names: names of the x columns.
        context_dim: width of the context that conditioners see beside their passive part.

    Raises:
        SettingsError: a name in `settings` is unknown.
        DataError: the standardisation cannot be fitted (a constant column).
    """
    if settings["coupling"] not in COUPLINGS:
        raise SettingsError(f"flow.coupling: expected one of {', '.join(COUPLINGS)}; got {settings['coupling']}")
    if settings["mixing"] not in MIXINGS:
        raise SettingsError(f"flow.mixing: expected one of {', '.join(MIXINGS)}; got {settings['mixing']}")
    dtype = tf.as_dtype(settings["dtype"])
    dim = partition.dim
    rng = generator(seed, "initial weights")
    if training_inputs is None:
        layers = [Standardise(np.zeros(dim), np.eye(dim), dtype=dtype)]
    else:
        layers = [Standardise.fit(training_inputs, settings["standardise"], names=names, dtype=dtype)]
    coupling = COUPLINGS[settings["coupling"]](settings)
    conditioner = partial(
        Conditioner, hidden=settings["hidden"], activation=settings["activation"], rng=rng, dtype=dtype
    )
    for index in range(settings["layers"]):
        mixing = MIXINGS[settings["mixing"]](dim, rng, dtype)
        if mixing is not None:
            layers.append(mixing)
        layers.append(coupling(dim, conditioner, transform_first=index % 2 == 1, context_dim=context_dim, dtype=dtype))
        if settings["actnorm"]:
            layers.append(ActNorm(dim, dtype=dtype))
    model = FlowModel(partition, Sequential(layers, dtype=dtype), settings=settings, names=names)
    if training_inputs is not None:
        _initialise_actnorm(layers, tf.constant(training_inputs[:4096], dtype))
    return model


def _initialise_actnorm(layers: list, value: tf.Tensor) -> None:
    for layer in layers:
        if isinstance(layer, ActNorm):
            layer.initialise(value)
        value = layer.inverse_and_log_det(value)[0]


FLOWS: dict[str, Callable[..., FlowModel]] = {"coupling": build_coupling_flow}


def build_flow(settings: Mapping[str, Any], partition: Partition, **options: Any) -> FlowModel:
    """Build the flow that `settings["name"]` names; the other arguments are those of that builder.

    Raises:
        SettingsError: no builder of that name.
    """
    if settings["name"] not in FLOWS:
        raise SettingsError(f"flow.name: expected one of {', '.join(FLOWS)}; got {settings['name']}")
    return FLOWS[settings["name"]](settings, partition, **options)
