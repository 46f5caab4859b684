"""What training minimises: the exact likelihood, or Ardizzone's supervised and MMD losses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

from flowpkg.bijectors import Logarithm, Sequential, Standardise
from flowpkg.errors import SettingsError
from flowpkg.model import FlowModel

# (C, a) of each kernel, as published with the paper in VLL-HD/analyzing_inverse_problems.
FORWARD_KERNELS = ((0.2, 2.0), (1.5, 2.0), (3.0, 2.0))
BACKWARD_KERNELS = ((0.2, 0.1), (0.2, 0.5), (0.2, 2.0))

Objective = Callable[[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]


def mmd(first: tf.Tensor, second: tf.Tensor, kernels) -> tf.Tensor:
    """Return the squared MMD of two batches `[n, d]` (V-statistic) with inverse multiquadric kernels.

        k(a, b) = sum over (C, a) of (1 + |a - b|^2 / C)^-a

    The published code writes the kernel with other constants in front; these only weigh the terms, and this
    form gives every kernel the value 1 at zero.

    Source: Ardizzone et al. 2019, arXiv:1808.04730, section 3.4 and appendix.
    """

    def mean(a, b):
        square = tf.reduce_sum(a**2, axis=1)[:, None] + tf.reduce_sum(b**2, axis=1)
        distance = tf.maximum(square - 2.0 * tf.matmul(a, b, transpose_b=True), 0.0)
        return tf.reduce_mean(tf.add_n([_power(1.0 + distance / scale, power) for scale, power in kernels]))

    return mean(first, first) + mean(second, second) - 2.0 * mean(first, second)


def _power(base: tf.Tensor, power: float) -> tf.Tensor:
    """Return base^-power; the powers that the kernels have cost a fraction of `tf.pow`."""
    if power == 2.0:
        return tf.square(tf.math.reciprocal(base))
    if power == 0.5:
        return tf.math.rsqrt(base)
    return tf.exp(-power * tf.math.log(base))


def likelihood_objective(model: FlowModel, settings: Mapping[str, Any]) -> Objective:
    """Return the mean negative log-likelihood in nats."""
    del settings
    return lambda inputs, known, progress, seed: -tf.reduce_mean(model.log_prob_of_inputs(inputs, known))


def mmd_objective(model: FlowModel, settings: Mapping[str, Any]) -> Objective:
    """Return Ardizzone's weighted sum of three losses.

        L_y = mean |y_out - t(y)|^2
        L_z = MMD([stop(y_out) | z], [t(y) | N(0, I)])     stop: no gradient, so that z learns what y leaves open
        L_x = ramp MMD(decode([t(y) | N(0, I)]), [x | e])  ramp = min(1, 2 * 0.002^(1 - progress))

    Raises:
        SettingsError: the model has no y among its outputs.

    Source: Ardizzone et al. 2019, arXiv:1808.04730, section 3.3; the ramp is that of the authors' code.
    """
    width = model.partition.y
    if not width:
        raise SettingsError("training.objective: expected likelihood for a model without y among its outputs; got mmd")
    weights = settings["mmd"]
    whiten = Sequential([layer for layer in model.bijector.layers[:2] if isinstance(layer, Logarithm | Standardise)])

    def objective(inputs, known, progress, seed):
        known = model.standardised(known)
        outputs, _ = model.bijector.inverse_and_log_det(inputs)
        y, z = outputs[:, :width], outputs[:, width:]
        normal = tf.random.stateless_normal(tf.shape(z), seed=seed, dtype=z.dtype)
        target = tf.concat([known, normal], axis=1)
        supervised = tf.reduce_mean(tf.reduce_sum((y - known) ** 2, axis=1))
        forward = mmd(tf.concat([tf.stop_gradient(y), z], axis=1), target, FORWARD_KERNELS)
        decoded = model.bijector.forward_and_log_det(target)[0]
        # In standardised units of the inputs, which the kernels' widths are made for.
        backward = mmd(whiten.inverse_and_log_det(decoded)[0], whiten.inverse_and_log_det(inputs)[0], BACKWARD_KERNELS)
        ramp = tf.minimum(1.0, 2.0 * tf.pow(0.002, 1.0 - progress))
        return weights["weight_y"] * supervised + weights["weight_z"] * forward + weights["weight_x"] * ramp * backward

    return objective


OBJECTIVES: dict[str, Callable[[FlowModel, Mapping[str, Any]], Objective]] = {
    "likelihood": likelihood_objective,
    "mmd": mmd_objective,
}
