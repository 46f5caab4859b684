"""Builders: from settings to a `FlowModel`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from flowpkg.bijectors import (
    LinearContext,
    Logarithm,
    OrthogonalMixing,
    Permutation,
    Sequential,
    Standardise,
    initialise_layers,
)
from flowpkg.errors import SettingsError
from flowpkg.flow_parts import coupling_layers
from flowpkg.image_flows import build_glow, build_image_coupling
from flowpkg.model import FlowModel
from flowpkg.partition import Partition
from flowpkg.seeds import generator


def build_coupling_flow(
    settings: Mapping[str, Any],
    partition: Partition,
    *,
    seed: int = 0,
    training_inputs: np.ndarray | None = None,
    training_known: np.ndarray | None = None,
    names: list[str] | None = None,
    y_names: list[str] | None = None,
    problem: Mapping[str, Any] | None = None,
    context_dim: int = 0,
    image_shape: tuple[int, int, int] | None = None,
) -> FlowModel:
    """Build standardisation followed by `layers` couplings that take turns in which part they transform.

        x -> [logarithm] -> standardise -> [mixing] -> coupling -> [actnorm] -> [mixing] -> coupling -> ... -> z

    Args:
        settings: the `flow` section of a run, complete (see config/README.md).
        partition: dimensions of inputs and outputs.
        seed: the run's seed; sets initial weights and mixing matrices.
        training_inputs: `[n, N]` training inputs, to fit the standardisation and ActNorm; None leaves both at
            the identity, to be filled by loaded weights.
        training_known: `[n, dim y]` training targets, to fit the standardisation of y and the linear start;
            needed with `training_inputs` if there is a y.
        names, y_names, problem: kept in the model, see `FlowModel`.
        context_dim: width of y for a conditional flow, whose conditioners see it beside their passive part.
        image_shape: must be None; images have builders of their own.

    Raises:
        SettingsError: a name in `settings` is unknown.
        DataError: the standardisation cannot be fitted (a constant column), or a logarithm of numbers of both signs.
    """
    if image_shape:
        raise SettingsError("flow.name: expected glow or image_coupling for images; got coupling")
    dtype = tf.as_dtype(settings["dtype"])
    dim = partition.dim
    rng = generator(seed, "initial weights")
    columns = [*names, *(f"e{index + 1}" for index in range(partition.e))] if names else None
    known_dim = partition.y or context_dim
    logs, logs_y, raw_inputs, raw_known = [], [], training_inputs, training_known
    if settings.get("log_x"):
        layer, training_inputs = _logarithm(training_inputs, dim, partition.x, columns, dtype)
        logs = [layer]
    if settings.get("log_y") and known_dim:
        layer, training_known = _logarithm(training_known, known_dim, known_dim, y_names, dtype)
        logs_y = [layer]
    if training_inputs is None:
        standardise = Standardise(np.zeros(dim), np.eye(dim), dtype=dtype)
    else:
        standardise = Standardise.fit(training_inputs, settings["standardise"], names=columns, dtype=dtype)
    layers = [standardise]
    if settings["linear_start"] and settings["mixing"] == "permutation":
        raise SettingsError("flow.linear_start: expected flow.mixing none or orthogonal; got permutation")
    standardise_y = None
    if training_known is not None and known_dim:
        standardise_y = Standardise.fit(
            training_known, settings["standardise_y"], names=y_names, dtype=dtype, name="standardise_y"
        )
    elif logs_y:
        standardise_y = Standardise(np.zeros(known_dim), np.eye(known_dim), dtype=dtype, name="standardise_y")
    if settings["linear_start"] and partition.y:
        layers.append(_linear_start(layers[0], standardise_y, training_inputs, training_known, partition, rng, dtype))
    if settings["linear_start"] and context_dim:
        layers.append(
            _linear_context(layers[0], standardise_y, training_inputs, training_known, dim, context_dim, dtype)
        )
    layers += coupling_layers(
        settings,
        dim,
        rng,
        count=settings["layers"],
        mixing=settings["mixing"],
        context_dim=context_dim,
        dtype=dtype,
    )
    if settings["mixing"] == "permutation" and partition.y and not settings["linear_start"]:
        # Couplings move no dimension: this one puts the last dim y places, e among them, where y is read.
        layers.append(Permutation(np.roll(np.arange(dim), partition.y), dtype=dtype))
    if settings["linear_start"] and partition.y and settings["mixing"] == "orthogonal":
        layers.append(_undo_mixing(layers, dtype))
    model = FlowModel(
        partition,
        Sequential([*logs, *layers], dtype=dtype),
        settings=settings,
        names=names,
        sigma_y=settings["sigma_y"],
        learn_sigma_y=settings["learn_sigma_y"],
        context_dim=context_dim,
        standardise_y=Sequential([*logs_y, standardise_y], dtype=dtype) if logs_y else standardise_y,
        y_names=y_names,
        problem=problem,
    )
    if training_inputs is not None and settings["actnorm"]:
        known = None
        if context_dim:
            known = model.standardised(tf.constant(raw_known[:4096], dtype))
        initialise_layers(model.bijector.layers, tf.constant(raw_inputs[:4096], dtype), known)
    return model


def _logarithm(data, width: int, columns: int, names, dtype) -> tuple[Logarithm, np.ndarray | None]:
    """Return the logarithm of the first columns of training data, and the data as it leaves them."""
    if data is None:
        return Logarithm(np.zeros(width), dtype=dtype), None
    layer = Logarithm.fit(data, columns, names=names, dtype=dtype)
    logged = np.array(data, np.float64)
    logged[:, :columns] = np.log(np.abs(logged[:, :columns]))
    return layer, logged


def _linear_start(standardise, standardise_y, inputs, known, partition, rng, dtype) -> OrthogonalMixing:
    """Return the rotation whose first rows are the best linear prediction of standardised y from the inputs.

    With whitened inputs u and whitened y the regression y = B u + residual has rows of norm at most one; the
    orthogonal matrix nearest to B (its polar factor) is completed by an orthonormal basis of what y leaves
    open. Couplings start as the identity, so training starts from the linear solution and learns what is not
    linear. For a linear Gaussian problem the start is the answer but for y's target width.
    """
    if inputs is None:
        return OrthogonalMixing(np.eye(partition.dim), dtype=dtype)
    u = np.linalg.solve(np.asarray(standardise.scale, np.float64), (inputs - np.asarray(standardise.loc)).T).T
    t = np.linalg.solve(np.asarray(standardise_y.scale, np.float64), (known - np.asarray(standardise_y.loc)).T).T
    slope = np.linalg.lstsq(u, t, rcond=None)[0].T
    left, _, right = np.linalg.svd(slope, full_matrices=False)
    rows = left @ right
    free = rng.standard_normal((partition.dim, partition.z))
    free -= rows.T @ (rows @ free)
    basis = np.linalg.qr(free)[0].T
    # Twice is enough (Kahan): the first pass leaves rounding along the rows of y.
    basis = np.linalg.qr((basis - (basis @ rows.T) @ rows).T)[0].T
    return OrthogonalMixing(np.concatenate([rows, basis]), dtype=dtype)


def _linear_context(standardise, standardise_y, inputs, known, dim, context_dim, dtype) -> LinearContext:
    if inputs is None:
        return LinearContext(np.zeros((dim, context_dim)), np.eye(dim), dtype=dtype)
    u = np.linalg.solve(np.asarray(standardise.scale, np.float64), (inputs - np.asarray(standardise.loc)).T).T
    t = np.linalg.solve(np.asarray(standardise_y.scale, np.float64), (known - np.asarray(standardise_y.loc)).T).T
    return LinearContext.fit(u, t, dtype=dtype)


def _undo_mixing(layers: list, dtype) -> OrthogonalMixing:
    """Return the rotation that takes back those between the couplings, so that the start keeps its meaning."""
    product = None
    for layer in layers[2:]:
        if isinstance(layer, OrthogonalMixing):
            matrix = np.asarray(layer.matrix, np.float64)
            product = matrix if product is None else matrix @ product
    u, _, v = np.linalg.svd(product.T)
    return OrthogonalMixing(u @ v, dtype=dtype)


FLOWS: dict[str, Callable[..., FlowModel]] = {
    "coupling": build_coupling_flow,
    "glow": build_glow,
    "image_coupling": build_image_coupling,
}


def build_flow(settings: Mapping[str, Any], partition: Partition, **options: Any) -> FlowModel:
    """Build the flow that `settings["name"]` names; the other arguments are those of that builder.

    Raises:
        SettingsError: no builder of that name.
    """
    if settings["name"] not in FLOWS:
        raise SettingsError(f"flow.name: expected one of {', '.join(FLOWS)}; got {settings['name']}")
    return FLOWS[settings["name"]](settings, partition, **options)
