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


class ConvolutionalConditioner(tf.Module):
    """Convolutions 3 x 3, 1 x 1, 3 x 3 (or only one of 3 x 3) whose last layer starts at zero.

        hidden = activation(conv3x3(image) + context V + b1);  hidden = activation(conv1x1(hidden) + b2)
        output = (conv3x3(hidden) + b3) * exp(3 g)

    Args:
        inputs: channels of the input.
        outputs: channels of the output.
        filters: channels of the two hidden layers; 0 for a single convolution without hidden layers.
        context_dim: width of a context that every pixel sees; 0 for none.
        activation: as `Conditioner`.
        rng: source of the initial weights (He's normal for the hidden layers).

    Shapes: `[b, H, W, inputs]` and context `[b, context_dim]` to `[b, H, W, outputs]`.

    Source: Kingma & Dhariwal 2018, arXiv:1807.03039, section 3.3 and its code (`conv2d_zeros`) for the factor
    exp(3 g), which lets the last layer leave zero quickly.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        filters: int,
        activation: str,
        rng: np.random.Generator,
        context_dim: int = 0,
        dtype: tf.DType = tf.float32,
        name: str = "convolutional_conditioner",
    ) -> None:
        super().__init__(name=name)
        if activation not in ACTIVATIONS:
            raise SettingsError(f"activation: expected one of {', '.join(ACTIVATIONS)}; got {activation}")
        self.activation = ACTIVATIONS[activation]
        self.context_dim = int(context_dim)
        sizes = (
            [(3, inputs, filters), (1, filters, filters), (3, filters, outputs)] if filters else [(3, inputs, outputs)]
        )
        self.kernels, self.biases = [], []
        for index, (size, fan_in, fan_out) in enumerate(sizes):
            kernel = np.zeros((size, size, fan_in, fan_out))
            if index < len(sizes) - 1:
                kernel = rng.standard_normal(kernel.shape) * np.sqrt(2.0 / (size * size * fan_in))
            self.kernels.append(tf.Variable(kernel, dtype=dtype, name=f"kernel_{index}"))
            self.biases.append(tf.Variable(np.zeros(fan_out), dtype=dtype, name=f"bias_{index}"))
        self.log_gain = tf.Variable(np.zeros(outputs), dtype=dtype, name="log_gain")
        if self.context_dim:
            width = sizes[0][2]
            kernel = (
                rng.standard_normal((context_dim, width)) * np.sqrt(1.0 / context_dim)
                if filters
                else np.zeros((context_dim, width))
            )
            self.context_kernel = tf.Variable(kernel, dtype=dtype, name="context_kernel")
        # Set by the trainer while it traces a step in mixed precision; None computes in the type of the weights.
        self.compute_dtype: tf.DType | None = None

    def __call__(self, images: tf.Tensor, context: tf.Tensor | None = None) -> tf.Tensor:
        dtype = self.compute_dtype or images.dtype
        value = tf.cast(images, dtype)
        last = len(self.kernels) - 1
        for index, (kernel, bias) in enumerate(zip(self.kernels, self.biases, strict=True)):
            if index == last:
                # The gain on the kernel, which is small, instead of on the images.
                gain = tf.exp(3.0 * self.log_gain)
                kernel, bias = kernel * gain, bias * gain
            # bias_add, not +, is what TensorFlow fuses with the convolution and the activation.
            value = tf.nn.bias_add(convolve(value, tf.cast(kernel, dtype)), tf.cast(bias, dtype))
            if index == 0 and self.context_dim:
                if context is None:
                    raise SettingsError(f"{self.name}: expected a context of width {self.context_dim}; got none")
                value += tf.cast(tf.matmul(context, self.context_kernel), dtype)[:, None, None, :]
            if index < last:
                value = self.activation(value)
        return tf.cast(value, images.dtype)

    def flops(self, height: int, width: int) -> int:
        """Floating-point operations of the convolutions for one image of this size."""
        return sum(2 * height * width * int(np.prod(kernel.shape)) for kernel in self.kernels)


def convolve(images: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Return the convolution of `[b, H, W, C]` with `[k, k, C, D]`, zeros outside the image.

    For k = 1 as a matrix product, which is faster on CPU for small images. (A 3 x 3 convolution as a product of
    shifted copies was measured to be 1.9 to 40 times slower than oneDNN's.)
    """
    if kernel.shape[0] == 1:
        shape = tf.shape(images)
        flat = tf.matmul(tf.reshape(images, [-1, images.shape[-1]]), kernel[0, 0])
        return tf.reshape(flat, tf.concat([shape[:-1], [kernel.shape[-1]]], axis=0))
    return tf.nn.conv2d(images, kernel, strides=1, padding="SAME")
