"""Vary training images at random: flip, zoom, rotation, shear and shift."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import tensorflow as tf


def transform_images(
    images: tf.Tensor,
    *,
    zoom: tf.Tensor | float = 1.0,
    rotation_deg: tf.Tensor | float = 0.0,
    shear_deg: tf.Tensor | float = 0.0,
    shift: tf.Tensor | tuple[float, float] = (0.0, 0.0),
) -> tf.Tensor:
    """Move images by an affine map about their centres, with one bilinear interpolation for the whole map.

        out = centre + R(rotation) S(shear) zoom (in - centre) + shift
        S = [1, tan(shear); 0, 1],   R = [cos, -sin; sin, cos],   x to the right, y down

    What lies beyond an edge is the mirror image of what lies before it, the edge pixel twice.

    Args:
        images: `[b, height, width, channels]` float.
        zoom: above 1 enlarges; a number or `[b]`.
        rotation_deg: degrees, clockwise on the screen; a number or `[b]`.
        shear_deg: degrees; rows below the centre move right; a number or `[b]`.
        shift: pixels to the right and down; two numbers or `[b, 2]`.

    Returns:
        Images of the same shape.
    """
    shape = tf.shape(images)
    batch, size = shape[0], shape[1:3]

    def each(value: Any) -> tf.Tensor:
        return tf.broadcast_to(tf.cast(value, tf.float32), [batch])

    zoom, shear = each(zoom), tf.tan(each(shear_deg) * math.pi / 180.0)
    angle = each(rotation_deg) * math.pi / 180.0
    shift = tf.broadcast_to(tf.cast(shift, tf.float32), [batch, 2])
    cos, sin = tf.cos(angle) / zoom, tf.sin(angle) / zoom
    # Rows of (R S zoom)^-1, which take an output pixel to the place where its colour is read.
    across = [cos + shear * sin, sin - shear * cos]
    down = [-sin, cos]
    centre = [0.5 * tf.cast(size[1] - 1, tf.float32), 0.5 * tf.cast(size[0] - 1, tf.float32)]
    moved = [centre[axis] + shift[:, axis] for axis in (0, 1)]
    start = [centre[axis] - row[0] * moved[0] - row[1] * moved[1] for axis, row in enumerate((across, down))]
    zero = tf.zeros([batch])
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=tf.stack([*across, start[0], *down, start[1], zero, zero], axis=1),
        output_shape=size,
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="REFLECT",
    )


def augment(images: tf.Tensor, settings: Mapping[str, float], seed: tf.Tensor, step: int = 1) -> tf.Tensor:
    """Vary every image of a batch at random, and differently.

    Flips and shifts, by whole pixels, move levels and change none. Zoom, rotation and shear interpolate, which smooths
    noise: training images then have a little less of it than held-out ones, and bits per dimension pay for that.

    Args:
        images: levels `[b, height, width, channels]`, float32 in 0 to 255.
        settings: `flip` probability of a mirror image; `zoom` largest relative change of size, 0.1 for 1 / 1.1 to 1.1;
            `rotation` and `shear` largest angles in degrees; `shift` largest move as a share of the side. 0 is off.
        seed: two integers; the same seed gives the same images.
        step: distance of the levels.

    Returns:
        Levels of the same shape, multiples of `step`.
    """
    batch = tf.shape(images)[0]
    seeds = tf.unstack(tf.random.experimental.stateless_split(seed, 6), num=6)

    def between(index: int, most: float, columns: int = 1) -> tf.Tensor:
        values = tf.random.stateless_uniform([batch, columns], seeds[index], -most, most)
        return values if columns > 1 else values[:, 0]

    zoom, rotation, shear, shift = (settings[key] for key in ("zoom", "rotation", "shear", "shift"))
    if zoom or rotation or shear or shift:
        side = tf.cast(tf.shape(images)[1:3], tf.float32)
        moved = transform_images(
            images,
            zoom=tf.exp(between(0, math.log1p(zoom))),
            rotation_deg=between(1, rotation),
            shear_deg=between(2, shear),
            shift=tf.round(between(3, shift, 2) * side[::-1]),
        )
        highest = (256 // step - 1) * step
        images = tf.clip_by_value(tf.round(moved / step) * step, 0.0, float(highest))
    if settings["flip"]:
        chosen = tf.random.stateless_uniform([batch, 1, 1, 1], seeds[4]) < settings["flip"]
        images = tf.where(chosen, tf.reverse(images, axis=[2]), images)
    return images
