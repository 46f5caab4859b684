"""Layers of image flows: NHWC images inside, flat vectors outside."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from flowpkg.bijectors.base import FlowBijector
from flowpkg.bijectors.coupling import bounded
from flowpkg.errors import SettingsError


class ImageBijector(FlowBijector):
    """Base of bijectors that see a vector as an image `[H, W, C]`, flattened row by row, channels last.

    Subclasses implement `image_forward(z, context)` and `image_inverse(x, context)` on `[b, H, W, C]`; both
    return the mapped image and a log-determinant `[b]`, or `[]` where it is the same for every image. Layers of
    one scale call these directly, so that an image is not flattened in between.

    Args:
        shape: `(H, W, C)` of the input of `inverse`.
    """

    def __init__(self, shape, *, dtype=tf.float32, name=None):
        super().__init__(dtype=dtype, name=name)
        self.shape = tuple(int(size) for size in shape)
        self.latent_shape = self.shape

    def image_forward(self, z: tf.Tensor, context: tf.Tensor | None = None) -> tuple[tf.Tensor, tf.Tensor]:
        """Map latent images to data images; return `(x, log|det dx/dz|)`."""
        raise TypeError(f"{type(self).__name__} does not define image_forward")

    def image_inverse(self, x: tf.Tensor, context: tf.Tensor | None = None) -> tuple[tf.Tensor, tf.Tensor]:
        """Map data images to latent images; return `(z, log|det dz/dx|)`."""
        raise TypeError(f"{type(self).__name__} does not define image_inverse")

    def forward_and_log_det(self, z, context=None):
        return on_images(self.image_forward, z, self.latent_shape, context)

    def inverse_and_log_det(self, x, context=None):
        return on_images(self.image_inverse, x, self.shape, context)

    def flops(self) -> int:
        """Floating-point operations of one map of one image, products of trained kernels only."""
        return 0


def on_images(function: Callable, value: tf.Tensor, shape: tuple[int, ...], context: tf.Tensor | None):
    """Apply a map of `[b, H, W, C]` to vectors `[..., N]`, with context `[..., K]` or None."""
    batch = tf.shape(value)[:-1]
    rows = tf.reduce_prod(batch)
    if context is not None:
        width = context.shape[-1]
        context = tf.reshape(tf.broadcast_to(context, tf.concat([batch, [width]], axis=0)), [-1, width])
    mapped, log_det = function(tf.reshape(value, tf.concat([[rows], shape], axis=0)), context)
    return tf.reshape(mapped, tf.shape(value)), tf.reshape(tf.broadcast_to(log_det, [rows]), batch)


class Squeeze(ImageBijector):
    """Fold blocks of 2 x 2 pixels into channels: `[H, W, C] <-> [H/2, W/2, 4 C]`, log-determinant zero.

    Args:
        shape: `(H, W, C)` with even H and W.

    Source: Dinh et al. 2017, arXiv:1605.08803, section 3.6.
    """

    def __init__(self, shape, *, dtype=tf.float32, name="squeeze"):
        super().__init__(shape, dtype=dtype, name=name)
        height, width, channels = self.shape
        if height % 2 or width % 2:
            raise SettingsError(f"{name}: expected an even height and width; got {height} x {width}")
        self.latent_shape = (height // 2, width // 2, 4 * channels)

    def image_forward(self, z, context=None):
        return tf.nn.depth_to_space(z, 2), tf.zeros([], z.dtype)

    def image_inverse(self, x, context=None):
        return tf.nn.space_to_depth(x, 2), tf.zeros([], x.dtype)


class ImageActNorm(ImageBijector):
    """Trainable shift and scale of each channel, initialised so that its output is standardised.

        inverse: z = (x - loc) * exp(-log_scale)        forward: x = loc + z * exp(log_scale)

    Args:
        shape: `(H, W, C)`.

    Source: Kingma & Dhariwal 2018, arXiv:1807.03039, section 3.1.
    """

    def __init__(self, shape, *, dtype=tf.float32, name="image_actnorm"):
        super().__init__(shape, dtype=dtype, name=name)
        self.loc = tf.Variable(np.zeros(self.shape[2]), dtype=dtype, name="loc")
        self.log_scale = tf.Variable(np.zeros(self.shape[2]), dtype=dtype, name="log_scale")

    def initialise(self, images: tf.Tensor) -> None:
        """Set shift and scale so that the inverse gives each channel of `images` zero mean and unit variance."""
        loc, variance = tf.nn.moments(images, axes=[0, 1, 2])
        self.loc.assign(loc)
        self.log_scale.assign(0.5 * tf.math.log(variance + tf.cast(1e-6, variance.dtype)))

    def log_det(self) -> tf.Tensor:
        """Return the log-determinant of `inverse`, `[]`."""
        return -self.shape[0] * self.shape[1] * tf.reduce_sum(self.log_scale)

    def image_forward(self, z, context=None):
        return z * tf.exp(self.log_scale) + self.loc, -self.log_det()

    def image_inverse(self, x, context=None):
        return (x - self.loc) * tf.exp(-self.log_scale), self.log_det()


class InvertibleConvolution(ImageBijector):
    """Trainable 1 x 1 convolution whose kernel is kept as its LU factors.

        inverse: z = W x  at every pixel,  W = P (L + I) (U + diag(sign exp(log_diagonal)))
        log|det dz/dx| = H W sum(log_diagonal)

    P, a permutation, and the signs are fixed; L and U are strictly triangular. The log-determinant costs nothing
    and needs no `slogdet`, which has no XLA kernel on CPU. Starts as a random rotation.

    Args:
        shape: `(H, W, C)`.
        rng: source of the rotation.

    Source: Kingma & Dhariwal 2018, arXiv:1807.03039, section 3.2.
    """

    def __init__(self, shape, rng: np.random.Generator, *, dtype=tf.float32, name="invertible_convolution"):
        super().__init__(shape, dtype=dtype, name=name)
        import scipy.linalg

        channels = self.shape[2]
        rotation = np.linalg.qr(rng.standard_normal((channels, channels)))[0]
        permutation, lower, upper = scipy.linalg.lu(rotation)
        diagonal = np.diag(upper)
        self.permutation = tf.Variable(permutation, trainable=False, dtype=dtype, name="permutation")
        self.sign = tf.Variable(np.sign(diagonal), trainable=False, dtype=dtype, name="sign")
        self.lower = tf.Variable(np.tril(lower, -1), dtype=dtype, name="lower")
        self.upper = tf.Variable(np.triu(upper, 1), dtype=dtype, name="upper")
        self.log_diagonal = tf.Variable(np.log(np.abs(diagonal)), dtype=dtype, name="log_diagonal")
        self.below = np.tril(np.ones((channels, channels)), -1)

    def _factors(self):
        below = tf.constant(self.below, self.dtype)
        lower = self.lower * below + tf.eye(self.shape[2], dtype=self.dtype)
        upper = self.upper * tf.transpose(below) + tf.linalg.diag(self.sign * tf.exp(self.log_diagonal))
        return lower, upper

    def matrix(self) -> tf.Tensor:
        """Return W, `[C, C]`."""
        lower, upper = self._factors()
        return tf.matmul(self.permutation, tf.matmul(lower, upper))

    def inverse_matrix(self) -> tf.Tensor:
        """Return W^-1, `[C, C]`, by two triangular solves."""
        lower, upper = self._factors()
        half = tf.linalg.triangular_solve(lower, tf.transpose(self.permutation), lower=True)
        return tf.linalg.triangular_solve(upper, half, lower=False)

    def log_det(self) -> tf.Tensor:
        """Return the log-determinant of `inverse`, `[]`."""
        return self.shape[0] * self.shape[1] * tf.reduce_sum(self.log_diagonal)

    def image_forward(self, z, context=None):
        return at_every_pixel(z, tf.transpose(self.inverse_matrix())), -self.log_det()

    def image_inverse(self, x, context=None):
        return at_every_pixel(x, tf.transpose(self.matrix())), self.log_det()

    def flops(self):
        height, width, channels = self.shape
        return 2 * height * width * channels**2


def at_every_pixel(images: tf.Tensor, matrix: tf.Tensor) -> tf.Tensor:
    """Return `images [b, H, W, C] @ matrix [C, D]` as one matrix product; on CPU faster than a 1 x 1 convolution."""
    shape = tf.shape(images)
    flat = tf.matmul(tf.reshape(images, [-1, images.shape[-1]]), matrix)
    return tf.reshape(flat, tf.concat([shape[:-1], [matrix.shape[-1]]], axis=0))


class ConvolutionCoupling(ImageBijector):
    """Affine coupling of the channels, its parameters from a convolutional network.

        [a | b] = x along channels,   z = [a | (b - t) * exp(-s)],   (s, t) = theta(a, context),  |s| < bound

    The identity at initialisation, because the network's last layer starts at zero.

    Args:
        shape: `(H, W, C)` with C >= 2; a has `C // 2` channels.
        conditioner: builds the network from its numbers of input and output channels.
        log_scale_bound: bound of |s|, see `bounded`.

    Source: Dinh et al. 2017, arXiv:1605.08803, section 3.4; Kingma & Dhariwal 2018, arXiv:1807.03039, section 3.3.
    """

    def __init__(
        self, shape, conditioner: Callable, *, log_scale_bound=2.0, dtype=tf.float32, name="convolution_coupling"
    ):
        super().__init__(shape, dtype=dtype, name=name)
        channels = self.shape[2]
        if channels < 2:
            raise SettingsError(f"{name}: expected at least two channels, to split them; got {channels}")
        self.split = channels // 2
        self.log_scale_bound = float(log_scale_bound)
        self.conditioner = conditioner(self.split, 2 * (channels - self.split))

    def parameters_of(self, passive: tf.Tensor, context: tf.Tensor | None) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the bounded log-scales and shifts, each `[b, H, W, C - C // 2]`."""
        raw, loc = tf.split(self.conditioner(passive, context), 2, axis=-1)
        return bounded(raw, self.log_scale_bound), loc

    def image_forward(self, z, context=None):
        passive, active = z[..., : self.split], z[..., self.split :]
        log_scale, loc = self.parameters_of(passive, context)
        return (
            tf.concat([passive, active * tf.exp(log_scale) + loc], axis=-1),
            tf.reduce_sum(log_scale, axis=[1, 2, 3]),
        )

    def image_inverse(self, x, context=None):
        passive, active = x[..., : self.split], x[..., self.split :]
        log_scale, loc = self.parameters_of(passive, context)
        return (
            tf.concat([passive, (active - loc) * tf.exp(-log_scale)], axis=-1),
            -tf.reduce_sum(log_scale, axis=[1, 2, 3]),
        )

    def flops(self):
        return self.conditioner.flops(self.shape[0], self.shape[1])


class GlowStep(ImageBijector):
    """ActNorm, 1 x 1 convolution and affine coupling; the first two as one matrix product.

        inverse: z = coupling(W (x - loc) exp(-log_scale))
                   = coupling(V x - V loc),   V = W diag(exp(-log_scale))

    Args:
        shape: `(H, W, C)`.
        conditioner: as `ConvolutionCoupling`.
        rng: source of the initial rotation.
        log_scale_bound: as `ConvolutionCoupling`.

    Source: Kingma & Dhariwal 2018, arXiv:1807.03039, figure 2a.
    """

    def __init__(self, shape, conditioner, rng, *, log_scale_bound=2.0, dtype=tf.float32, name="glow_step"):
        super().__init__(shape, dtype=dtype, name=name)
        self.actnorm = ImageActNorm(shape, dtype=dtype)
        self.mixing = InvertibleConvolution(shape, rng, dtype=dtype)
        self.coupling = ConvolutionCoupling(shape, conditioner, log_scale_bound=log_scale_bound, dtype=dtype)

    def initialise(self, images: tf.Tensor) -> None:
        """Initialise the ActNorm on `images`."""
        self.actnorm.initialise(images)

    def image_forward(self, z, context=None):
        x, log_det = self.coupling.image_forward(z, context)
        matrix = tf.transpose(self.mixing.inverse_matrix()) * tf.exp(self.actnorm.log_scale)
        return at_every_pixel(x, matrix) + self.actnorm.loc, log_det - self.mixing.log_det() - self.actnorm.log_det()

    def image_inverse(self, x, context=None):
        matrix = tf.transpose(self.mixing.matrix() * tf.exp(-self.actnorm.log_scale))
        shift = tf.matmul(self.actnorm.loc[None, :], matrix)
        mixed = tf.nn.bias_add(at_every_pixel(x, matrix), -shift[0])
        z, log_det = self.coupling.image_inverse(mixed, context)
        return z, log_det + self.mixing.log_det() + self.actnorm.log_det()

    def flops(self):
        return self.mixing.flops() + self.coupling.flops()
