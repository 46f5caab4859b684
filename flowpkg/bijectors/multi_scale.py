"""The multi-scale architecture: squeeze, steps, split, and the same again on what stays."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from flowpkg.bijectors.image_layers import ImageBijector, Squeeze
from flowpkg.errors import SettingsError


class MultiScale(ImageBijector):
    """Multi-scale flow: each level squeezes, applies its steps, and hands half of the channels out as latents.

        level 1:  x -> squeeze -> steps -> [h1 | z1]
        level 2:  h1 -> squeeze -> steps -> [h2 | z2]
        ...
        latents:  [h_last | z_(last-1) | ... | z1], flattened, the coarsest first

    The coarsest latents come first because a head that brings labels to the front works on the first ones. With
    `split_prior` a last coupling of each level takes off z what h predicts of it: Glow's learned prior of z,
    N(t(h), exp(2 s(h))), written as a part of the map, so that all latents have one standard normal.

    Args:
        shape: `(H, W, C)`; H and W divisible by `2 ** levels`.
        levels: number of levels.
        steps: steps of each level.
        step: builds one step from a shape `(H, W, C)`.
        split_prior: builds that coupling from a shape `(H, W, C)`; None for none.

    Source: Dinh et al. 2017, arXiv:1605.08803, section 3.6; Kingma & Dhariwal 2018, arXiv:1807.03039, figure 2b.
    """

    def __init__(
        self,
        shape,
        *,
        levels: int,
        steps: int,
        step: Callable[[tuple[int, int, int]], ImageBijector],
        split_prior: Callable[[tuple[int, int, int]], ImageBijector] | None = None,
        dtype=tf.float32,
        name="multi_scale",
    ):
        super().__init__(shape, dtype=dtype, name=name)
        height, width, _ = self.shape
        if height % 2**levels or width % 2**levels:
            raise SettingsError(
                f"flow.levels: expected an image height and width divisible by 2^levels = {2**levels}; "
                f"got {height} x {width}"
            )
        self.squeezes, self.steps, self.priors = [], [], []
        for level in range(levels):
            squeeze = Squeeze(shape, dtype=dtype)
            shape = squeeze.latent_shape
            self.squeezes.append(squeeze)
            self.steps.append([step(shape) for _ in range(steps)])
            if level < levels - 1:
                if split_prior:
                    self.priors.append(split_prior(shape))
                shape = (shape[0], shape[1], shape[2] // 2)
        # Shape of the coarsest latents, which come first.
        self.coarsest_shape = shape

    @property
    def _last(self) -> int:
        return len(self.steps) - 1

    def _layers(self, level: int) -> list[ImageBijector]:
        return [*self.steps[level], *self.priors[level : level + 1]]

    def initialise(self, x: tf.Tensor, context: tf.Tensor | None = None) -> None:
        """Initialise every ActNorm from vectors `x [b, N]` that pass the layers before it."""
        images = tf.reshape(x, [-1, *self.shape])
        for level, steps in enumerate(self.steps):
            images = self.squeezes[level].image_inverse(images)[0]
            for step in steps:
                step.initialise(images)
                images = step.image_inverse(images, context)[0]
            if level < self._last:
                images = images[..., : images.shape[-1] // 2]

    def inverse_and_log_det(self, x, context=None):
        return _on_vectors(self._to_latents, x, context)

    def forward_and_log_det(self, z, context=None):
        return _on_vectors(self._to_images, z, context)

    def _to_latents(self, x, context):
        images = tf.reshape(x, [-1, *self.shape])
        log_det, parts = tf.zeros([tf.shape(x)[0]], x.dtype), []
        for level in range(len(self.steps)):
            images, _ = self.squeezes[level].image_inverse(images)
            for layer in self._layers(level):
                images, change = layer.image_inverse(images, context)
                log_det += change
            if level < self._last:
                images, split = tf.split(images, 2, axis=-1)
                parts.append(_flat(split))
        return tf.concat([_flat(images), *reversed(parts)], axis=-1), log_det

    def _to_images(self, z, context):
        log_det = tf.zeros([tf.shape(z)[0]], z.dtype)
        shapes = [self.coarsest_shape] + [
            (*squeeze.latent_shape[:2], squeeze.latent_shape[2] // 2) for squeeze in reversed(self.squeezes[:-1])
        ]
        parts = tf.split(z, [height * width * channels for height, width, channels in shapes], axis=-1)
        parts = [tf.reshape(part, [-1, *shape]) for part, shape in zip(parts, shapes, strict=True)]
        images = parts[0]
        for level in reversed(range(len(self.steps))):
            if level < self._last:
                images = tf.concat([images, parts[self._last - level]], axis=-1)
            for layer in reversed(self._layers(level)):
                images, change = layer.image_forward(images, context)
                log_det += change
            images, _ = self.squeezes[level].image_forward(images)
        return _flat(images), log_det

    def flops(self):
        return sum(layer.flops() for level in range(len(self.steps)) for layer in self._layers(level))


def _flat(images: tf.Tensor) -> tf.Tensor:
    return tf.reshape(images, [-1, images.shape[1] * images.shape[2] * images.shape[3]])


def _on_vectors(function: Callable, value: tf.Tensor, context: tf.Tensor | None):
    """Apply a map of `[b, N]` to vectors `[..., N]`."""
    batch = tf.shape(value)[:-1]
    if context is not None:
        width = context.shape[-1]
        context = tf.reshape(tf.broadcast_to(context, tf.concat([batch, [width]], axis=0)), [-1, width])
    mapped, log_det = function(tf.reshape(value, [-1, value.shape[-1]]), context)
    return tf.reshape(mapped, tf.shape(value)), tf.reshape(log_det, batch)
