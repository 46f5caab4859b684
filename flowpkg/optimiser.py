"""Adam, one fused operation for each variable."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf


class Adam:
    """Adam whose step on a variable is one in-place operation.

        m = beta_1 m + (1 - beta_1) g,   v = beta_2 v + (1 - beta_2) g^2
        w = w - rate sqrt(1 - beta_2^t) / (1 - beta_1^t) m / (sqrt(v) + epsilon),   t = step + 1

    The same formula as Keras' Adam, which takes some ten operations with their intermediate arrays for each
    variable; a deep flow has hundreds. It holds no counter: the step is given, so that a resumed run needs only
    its moments, and it works inside a replica of a distribution strategy.

    Args:
        variables: what is trained.
        schedule: learning rate as a function of the step.
        beta_1, beta_2, epsilon: as in the formula.

    Source: Kingma & Ba 2015, arXiv:1412.6980.
    """

    def __init__(
        self,
        variables: list[tf.Variable],
        schedule: Callable,
        *,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
    ) -> None:
        self.trained, self.schedule = list(variables), schedule
        self.beta_1, self.beta_2, self.epsilon = beta_1, beta_2, epsilon
        self.moments = [
            tuple(tf.Variable(tf.zeros(variable.shape, variable.dtype), trainable=False) for _ in range(2))
            for variable in self.trained
        ]

    @property
    def variables(self) -> list[tf.Variable]:
        """The moments, in the order of the variables."""
        return [moment for pair in self.moments for moment in pair]

    def apply(self, gradients: list[tf.Tensor], step: tf.Tensor) -> None:
        """Change every variable by its gradient; `step` counts from 0."""
        rate = self.schedule(step)
        for variable, (first, second), gradient in zip(self.trained, self.moments, gradients, strict=True):
            dtype = variable.dtype
            count = tf.cast(step + 1, dtype)
            beta_1, beta_2 = tf.constant(self.beta_1, dtype), tf.constant(self.beta_2, dtype)
            tf.raw_ops.ResourceApplyAdam(
                var=variable.handle,
                m=first.handle,
                v=second.handle,
                beta1_power=tf.pow(beta_1, count),
                beta2_power=tf.pow(beta_2, count),
                lr=tf.cast(rate, dtype),
                beta1=beta_1,
                beta2=beta_2,
                epsilon=tf.constant(self.epsilon, dtype),
                grad=tf.convert_to_tensor(gradient),
            )
