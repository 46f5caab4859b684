"""Builders of image flows: the multi-scale `glow`, and couplings of the flattened image."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import tensorflow as tf

from flowpkg.bijectors import (
    ActNorm,
    ConvolutionCoupling,
    FlowBijector,
    GlowStep,
    LatentWhitening,
    Leading,
    MultiScale,
    Permutation,
    PixelScaling,
    Sequential,
    initialise_layers,
)
from flowpkg.conditioners import ConvolutionalConditioner
from flowpkg.errors import SettingsError
from flowpkg.flow_parts import coupling_layers
from flowpkg.model import FlowModel
from flowpkg.partition import Partition
from flowpkg.seeds import generator


def build_glow(settings: Mapping[str, Any], partition: Partition, **options: Any) -> FlowModel:
    """Build the multi-scale image flow.

        x -> pixel scaling -> levels of (squeeze, steps, split) -> [head] -> [whitening] -> z or [y | z]

    The head, dense couplings on the coarsest latents with a fixed rotation before each, brings the labels of an
    invertible flow to the front; there is none for a flow without y among its outputs.

    Args:
        settings: the `flow` section of a run, complete (see config/README.md).
        partition: dimensions of inputs and outputs.
        options: `image_shape`, `seed`, `training_inputs`, `training_known`, `names`, `y_names`, `problem` and
            `context_dim`, as `build_image_flow`.

    Raises:
        SettingsError: levels that do not fit the image, or an unknown name.

    Source: Kingma & Dhariwal 2018, arXiv:1807.03039.
    """

    def layers(shape, rng, context_dim, dtype):
        conditioner = partial(
            ConvolutionalConditioner,
            activation=settings["activation"],
            rng=rng,
            context_dim=context_dim,
            dtype=dtype,
        )
        bound = settings["log_scale_bound"]

        def step(at):
            return GlowStep(
                at, partial(conditioner, filters=settings["filters"]), rng, log_scale_bound=bound, dtype=dtype
            )

        def split_prior(at):
            return ConvolutionCoupling(
                at, partial(conditioner, filters=0), log_scale_bound=bound, dtype=dtype, name="split_prior"
            )

        scales = MultiScale(
            shape,
            levels=settings["levels"],
            steps=settings["steps_per_level"],
            step=step,
            split_prior=split_prior if settings["split_prior"] else None,
            dtype=dtype,
        )
        built: list[FlowBijector] = [scales]
        if partition.y:
            coarsest = int(np.prod(scales.coarsest_shape))
            width = min(coarsest, max(settings["head_width"], 2 * partition.y))
            if width < coarsest:
                # A spread choice of the coarsest latents, so that every part of the image is seen.
                chosen = rng.permutation(coarsest)
                built.append(Leading([Permutation(chosen, dtype=dtype)], coarsest, dtype=dtype))
            head = coupling_layers(
                {**settings, "actnorm": True},
                width,
                rng,
                count=settings["head_layers"],
                mixing="orthogonal",
                dtype=dtype,
            )
            built.append(Leading(head, width, dtype=dtype, name="head"))
        return built

    return build_image_flow(settings, partition, layers, **options)


def build_image_coupling(settings: Mapping[str, Any], partition: Partition, **options: Any) -> FlowModel:
    """Build couplings of the flattened image, as in article 2: pixel scaling, ActNorm, `layers` couplings.

    Args:
        settings, partition, options: as `build_glow`.

    Raises:
        SettingsError: an unknown name.

    Source: Dinh et al. 2017, arXiv:1605.08803.
    """

    def layers(shape, rng, context_dim, dtype):
        dim = partition.dim
        built = [ActNorm(dim, dtype=dtype)]
        built += coupling_layers(
            settings,
            dim,
            rng,
            count=settings["layers"],
            mixing=settings["mixing"],
            context_dim=context_dim,
            dtype=dtype,
        )
        return built

    return build_image_flow(settings, partition, layers, **options)


def build_image_flow(
    settings: Mapping[str, Any],
    partition: Partition,
    layers,
    *,
    image_shape: tuple[int, int, int] | None = None,
    seed: int = 0,
    training_inputs: np.ndarray | None = None,
    training_known: np.ndarray | None = None,
    names: list[str] | None = None,
    y_names: list[str] | None = None,
    problem: Mapping[str, Any] | None = None,
    context_dim: int = 0,
) -> FlowModel:
    """Build pixel scaling, the layers of an architecture, and a whitening of the latents.

    Args:
        settings: the `flow` section of a run, complete.
        partition: dimensions of inputs and outputs; x is the flattened image, there is no e.
        layers: builds the layers between from `(image_shape, rng, context_dim, dtype)`.
        image_shape: `(H, W, C)`.
        seed: the run's seed; sets initial weights and rotations.
        training_inputs: `[n, H W C]` some dequantised training images, to initialise the ActNorms; None leaves
            them at the identity, to be filled by loaded weights. The first 256 are enough, and are used.
        training_known: `[n, K]` their one-hot labels, needed by a conditional flow.
        names: not used; pixels have no names.
        y_names, problem: kept in the model, see `FlowModel`.
        context_dim: width of y for a conditional flow.

    Raises:
        SettingsError: no image shape, a partition that does not fit it, or settings that do not.
    """
    del names
    if not image_shape:
        raise SettingsError(f"flow.name: expected coupling for data that are no images; got {settings['name']}")
    image_shape = tuple(int(size) for size in image_shape)
    if partition.x != int(np.prod(image_shape)) or partition.e:
        raise SettingsError(
            f"partition: expected x = {int(np.prod(image_shape))} and e = 0 for images of shape {image_shape}; "
            f"got x = {partition.x} and e = {partition.e}"
        )
    if settings["linear_start"]:
        raise SettingsError("flow.linear_start: expected false for images; got true")
    dtype = tf.as_dtype(settings["dtype"])
    rng = generator(seed, "initial weights")
    sequence = [PixelScaling(settings["pixel_transform"], dtype=dtype)]
    sequence += layers(image_shape, rng, context_dim, dtype)
    if settings["whitening"]:
        sequence.append(LatentWhitening(partition.dim, settings["whitening"], skip=partition.y, dtype=dtype))
    model = FlowModel(
        partition,
        Sequential(sequence, dtype=dtype),
        settings=settings,
        sigma_y=settings["sigma_y"],
        learn_sigma_y=settings["learn_sigma_y"],
        context_dim=context_dim,
        y_names=y_names,
        problem=problem,
        image_shape=image_shape,
    )
    if training_inputs is not None:
        rows = slice(0, 256)
        known = model.standardised(tf.constant(training_known[rows], dtype)) if context_dim else None
        initialise_layers(sequence, tf.constant(training_inputs[rows], dtype), known)
    return model
