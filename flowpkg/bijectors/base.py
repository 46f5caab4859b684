"""The shared base of our bijectors: the map and its log-determinant from one evaluation."""

from __future__ import annotations

import math

import tensorflow as tf
import tensorflow_probability as tfp

tfb = tfp.bijectors


class FlowBijector(tfb.Bijector):
    """Bijector of vectors whose map and log-determinant share one evaluation.

        forward: latent z -> data x        inverse: data x -> latent z

    Subclasses implement `forward_and_log_det(z, context)` and `inverse_and_log_det(x, context)`; the public
    methods of `tfb.Bijector` follow from these two. TFP's own pattern evaluates a coupling's network once for
    the map and once more for the log-determinant, which costs 1.2 to 1.6 times the time of a training step.

    Args:
        dtype: floating type of inputs, outputs and variables.
        name: name of the bijector.

    Shapes: inputs and outputs `[..., N]`, context `[..., C]` or None, log-determinants `[...]`.
    """

    def __init__(self, *, dtype: tf.DType = tf.float32, name: str | None = None) -> None:
        super().__init__(
            forward_min_event_ndims=1,
            is_constant_jacobian=False,
            validate_args=False,
            dtype=dtype,
            parameters={"dtype": dtype, "name": name},
            name=name,
        )

    def forward_and_log_det(self, z: tf.Tensor, context: tf.Tensor | None = None) -> tuple[tf.Tensor, tf.Tensor]:
        """Map latent to data; return `(x, log|det dx/dz|)`."""
        raise TypeError(f"{type(self).__name__} does not define forward_and_log_det")

    def inverse_and_log_det(self, x: tf.Tensor, context: tf.Tensor | None = None) -> tuple[tf.Tensor, tf.Tensor]:
        """Map data to latent; return `(z, log|det dz/dx|)`."""
        raise TypeError(f"{type(self).__name__} does not define inverse_and_log_det")

    def flops(self) -> int:
        """Floating-point operations of one map of one vector, products of trained kernels only."""
        return sum(2 * math.prod(variable.shape) for variable in self.trainable_variables if variable.shape.rank == 2)

    def _forward(self, x, context=None):
        return self.forward_and_log_det(x, context)[0]

    def _inverse(self, y, context=None):
        return self.inverse_and_log_det(y, context)[0]

    def _forward_log_det_jacobian(self, x, context=None):
        return self.forward_and_log_det(x, context)[1]

    def _inverse_log_det_jacobian(self, y, context=None):
        return self.inverse_and_log_det(y, context)[1]


def times(vectors: tf.Tensor, matrix: tf.Tensor, *, transposed: bool = True) -> tf.Tensor:
    """Return `A v` for vectors `[..., N]` and a matrix A `[M, N]` (`A^T v` for `transposed=False`).

    One matrix product for the whole batch. `tf.linalg.matvec` with a batch of vectors runs one product for each,
    which took half of a training step.
    """
    flat = tf.matmul(tf.reshape(vectors, [-1, vectors.shape[-1]]), matrix, transpose_b=transposed)
    return tf.reshape(flat, tf.concat([tf.shape(vectors)[:-1], [flat.shape[-1]]], axis=0))


class Sequential(FlowBijector):
    """Composition of bijectors, listed in the order in which they act on data.

        inverse: z = layers[-1].inverse(... layers[0].inverse(x))
        forward: x = layers[0].forward(... layers[-1].forward(z))

    `tfb.Chain` lists its parts the other way round and hands a context to a part only under that part's name;
    here every one of our layers gets the context. Layers may be any `tfb.Bijector` of vectors.

    Args:
        layers: bijectors, the one next to the data first.

    Shapes: as `FlowBijector`.
    """

    def __init__(self, layers: list[tfb.Bijector], *, dtype: tf.DType = tf.float32, name: str = "sequential") -> None:
        super().__init__(dtype=dtype, name=name)
        self.layers = list(layers)

    def forward_and_log_det(self, z, context=None):
        log_det = tf.zeros(tf.shape(z)[:-1], z.dtype)
        for layer in reversed(self.layers):
            if isinstance(layer, FlowBijector):
                z, change = layer.forward_and_log_det(z, context)
            else:
                # identity() keeps TFP's cache from answering with values of earlier weights.
                source = tf.identity(z)
                z, change = layer.forward(source), layer.forward_log_det_jacobian(source, event_ndims=1)
            log_det += change
        return z, log_det

    def inverse_and_log_det(self, x, context=None):
        log_det = tf.zeros(tf.shape(x)[:-1], x.dtype)
        for layer in self.layers:
            if isinstance(layer, FlowBijector):
                x, change = layer.inverse_and_log_det(x, context)
            else:
                source = tf.identity(x)
                x, change = layer.inverse(source), layer.inverse_log_det_jacobian(source, event_ndims=1)
            log_det += change
        return x, log_det

    def flops(self):
        return sum(layer.flops() for layer in self.layers if isinstance(layer, FlowBijector))


class Leading(FlowBijector):
    """Composition of bijectors that act on the first entries only; the others pass unchanged.

        inverse: [a | b] = x,   z = [layers(a) | b],   a of length `width`

    Args:
        layers: bijectors of vectors of length `width`, the one next to the data first.
        width: how many entries they see.
    """

    def __init__(self, layers: list[tfb.Bijector], width: int, *, dtype=tf.float32, name: str = "leading") -> None:
        super().__init__(dtype=dtype, name=name)
        self.sequence = Sequential(layers, dtype=dtype)
        self.width = int(width)

    def initialise(self, data: tf.Tensor, context: tf.Tensor | None = None) -> None:
        """Initialise the layers that ask for it on the first entries of `data [n, N]`."""
        initialise_layers(self.sequence.layers, data[..., : self.width], context)

    def forward_and_log_det(self, z, context=None):
        first, log_det = self.sequence.forward_and_log_det(z[..., : self.width], context)
        return tf.concat([first, z[..., self.width :]], axis=-1), log_det

    def inverse_and_log_det(self, x, context=None):
        first, log_det = self.sequence.inverse_and_log_det(x[..., : self.width], context)
        return tf.concat([first, x[..., self.width :]], axis=-1), log_det

    def flops(self):
        return self.sequence.flops()


def initialise_layers(layers: list[tfb.Bijector], value: tf.Tensor, context: tf.Tensor | None = None) -> None:
    """Initialise, layer by layer, those that ask for it (ActNorm) on data `[n, N]` that passed the ones before."""
    for layer in layers:
        if hasattr(layer, "initialise"):
            layer.initialise(value, context)
        value = layer.inverse_and_log_det(value, context)[0]
