"""From pixel values to numbers around zero, and back."""

from __future__ import annotations

import math

import tensorflow as tf

from flowpkg.bijectors.base import FlowBijector
from flowpkg.errors import SettingsError

LEVELS = 256.0


class PixelScaling(FlowBijector):
    """Map dequantised 8-bit pixel values x in [0, 256) to numbers around zero.

        plain: z = x / 256 - 1/2                        log|det dz/dx| = -N log 256
        logit: z = logit(p),  p = margin + (1 - 2 margin) x / 256
               log|dz_i/dx_i| = log((1 - 2 margin) / 256) - log p_i - log(1 - p_i)

    With `plain` a decoded value may lie outside [0, 256), and is clipped when it is turned into a picture; with
    `logit` it lies within `256 margin / (1 - 2 margin)` of that interval.

    Args:
        kind: `plain` or `logit`.
        margin: keeps the logit finite at both ends.

    Source: Dinh et al. 2017, arXiv:1605.08803, section 4.1, whose margin is 0.05.
    """

    def __init__(self, kind: str = "plain", *, margin: float = 0.05, dtype=tf.float32, name="pixel_scaling"):
        super().__init__(dtype=dtype, name=name)
        if kind not in ("plain", "logit"):
            raise SettingsError(f"flow.pixel_transform: expected plain or logit; got {kind}")
        self.kind, self.margin = kind, float(margin)

    def forward_and_log_det(self, z, context=None):
        if self.kind == "plain":
            return LEVELS * (z + 0.5), self._constant(z, math.log(LEVELS))
        slope = (1.0 - 2.0 * self.margin) / LEVELS
        p = tf.sigmoid(z)
        # log p + log(1 - p) without cancellation.
        log_slopes = -tf.nn.softplus(-z) - tf.nn.softplus(z) - math.log(slope)
        return (p - self.margin) / slope, tf.reduce_sum(log_slopes, axis=-1)

    def inverse_and_log_det(self, x, context=None):
        if self.kind == "plain":
            return x / LEVELS - 0.5, self._constant(x, -math.log(LEVELS))
        slope = (1.0 - 2.0 * self.margin) / LEVELS
        p = self.margin + slope * x
        log_p, log_q = tf.math.log(p), tf.math.log1p(-p)
        return log_p - log_q, tf.reduce_sum(math.log(slope) - log_p - log_q, axis=-1)

    def _constant(self, value, log_slope: float):
        return tf.fill(tf.shape(value)[:-1], tf.constant(value.shape[-1] * log_slope, value.dtype))
