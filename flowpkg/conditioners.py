"""Networks that turn a coupling's passive part and context into the parameters of its elementwise map."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from flowpkg.errors import SettingsError

ACTIVATIONS: dict[str, Callable[[tf.Tensor], tf.Tensor]] = {
    "relu": tf.nn.relu,
    "silu": tf.nn.silu,
    "tanh": tf.tanh,
    "elu": tf.nn.elu,
}


class Conditioner(tf.Module):
    """Fully connected network whose last layer starts at zero.

    A `tf.Module` with plain variables: TFP bijectors then list them among their own variables, which a network
    hidden in a closure or a Keras 3 layer does not give (shared/FACTS).

    Args:
        inputs: width of the input, passive part and context together.
        outputs: number of parameters wanted.
        hidden: widths of the hidden layers.
        activation: `relu`, `silu`, `tanh` or `elu`.
        rng: source of the initial weights (He's normal for the hidden layers).
        dtype: floating type.

    Shapes: `[..., inputs]` to `[..., outputs]`.

    Raises:
        SettingsError: unknown activation.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        hidden: list[int],
        activation: str,
        rng: np.random.Generator,
        dtype: tf.DType = tf.float32,
        name: str = "conditioner",
    ) -> None:
        super().__init__(name=name)
        if activation not in ACTIVATIONS:
            raise SettingsError(f"activation: expected one of {', '.join(ACTIVATIONS)}; got {activation}")
        self.activation = ACTIVATIONS[activation]
        widths = [inputs, *hidden, outputs]
        self.kernels, self.biases = [], []
        for index, (fan_in, fan_out) in enumerate(zip(widths[:-1], widths[1:], strict=True)):
            last = index == len(widths) - 2
            kernel = np.zeros((fan_in, fan_out))
            if not last:
                kernel = rng.standard_normal((fan_in, fan_out)) * np.sqrt(2.0 / max(fan_in, 1))
            self.kernels.append(tf.Variable(kernel, dtype=dtype, name=f"kernel_{index}"))
            # Spread biases: with one or two inputs, units that all bend at zero leave the rest of the line linear.
            bias = np.zeros(fan_out) if last or index else rng.uniform(-1.0, 1.0, fan_out)
            self.biases.append(tf.Variable(bias, dtype=dtype, name=f"bias_{index}"))

    def __call__(self, value: tf.Tensor) -> tf.Tensor:
        shape = tf.shape(value)
        # One matrix product for all batch dimensions.
        value = tf.reshape(value, [-1, value.shape[-1]])
        for kernel, bias in zip(self.kernels[:-1], self.biases[:-1], strict=True):
            value = self.activation(tf.matmul(value, kernel) + bias)
        value = tf.matmul(value, self.kernels[-1]) + self.biases[-1]
        return tf.reshape(value, tf.concat([shape[:-1], [self.kernels[-1].shape[-1]]], axis=0))
