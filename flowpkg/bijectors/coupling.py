"""Coupling layers: half of a vector sets the parameters of an elementwise map of the other half."""

from __future__ import annotations

import math

import tensorflow as tf

from flowpkg.bijectors.base import FlowBijector
from flowpkg.bijectors.rational_quadratic import rational_quadratic
from flowpkg.conditioners import Conditioner
from flowpkg.errors import SettingsError


def bounded(log_scale: tf.Tensor, bound: float) -> tf.Tensor:
    """Squash a log-scale smoothly into `(-bound, bound)`.

        bounded(s) = (2 / pi) * bound * atan(s / bound)

    Slope 2/pi at zero, as in FrEIA, whose rule this is; one rare large log-scale otherwise turns into an
    exploding sample once it is exponentiated in several layers.

    Args:
        log_scale: any shape.
        bound: positive; the layer's scale stays within `exp(+-bound)`.

    Source: FrEIA 0.2, `freia.modules.coupling_layers` (`clamp_activation="ATAN"`).
    """
    return (2.0 / math.pi) * bound * tf.atan(log_scale / bound)


class Coupling(FlowBijector):
    """Base of the coupling layers.

        [a | b] = x,   z = [a | g(b; theta(a, context))]      (or with the parts swapped)

    Args:
        dim: length N of the vectors, at least 2.
        conditioner: builds the network from `(inputs, outputs)`, the two widths it must have.
        parameters_per_dim: how many parameters the elementwise map has for each transformed dimension.
        transform_first: transform the first part, conditioned on the second, instead of the reverse.
        context_dim: width C of the context; 0 for none.

    The first part has `ceil(N / 2)` dimensions.

    Raises:
        SettingsError: `dim` is below 2.
    """

    def __init__(self, dim, conditioner, parameters_per_dim, *, transform_first, context_dim, dtype, name):
        if dim < 2:
            raise SettingsError(f"{name}: expected dim >= 2, because one part conditions the other; got {dim}")
        super().__init__(dtype=dtype, name=name)
        self.dim = dim
        self.context_dim = context_dim
        self.transform_first = transform_first
        self.split = (dim + 1) // 2
        passive, active = (dim - self.split, self.split) if transform_first else (self.split, dim - self.split)
        self.active_dim = active
        self.parameters_per_dim = parameters_per_dim
        self.conditioner: Conditioner = conditioner(passive + context_dim, active * parameters_per_dim)

    def elementwise(self, parameters: tf.Tensor, value: tf.Tensor, *, inverse: bool) -> tuple[tf.Tensor, tf.Tensor]:
        """Map `value [..., A]` with `parameters [..., A, parameters_per_dim]`; return it and the log-slopes."""
        raise TypeError(f"{type(self).__name__} does not define elementwise")

    def _apply(self, value, context, *, inverse):
        first, second = value[..., : self.split], value[..., self.split :]
        passive, active = (second, first) if self.transform_first else (first, second)
        network_input = passive
        if self.context_dim:
            if context is None:
                raise SettingsError(f"{self.name}: expected a context of width {self.context_dim}; got none")
            shape = tf.concat([tf.shape(passive)[:-1], [self.context_dim]], axis=0)
            network_input = tf.concat([passive, tf.broadcast_to(context, shape)], axis=-1)
        flat = self.conditioner(network_input)
        shape = tf.concat([tf.shape(flat)[:-1], [self.active_dim, self.parameters_per_dim]], axis=0)
        active, log_slopes = self.elementwise(tf.reshape(flat, shape), active, inverse=inverse)
        parts = [active, passive] if self.transform_first else [passive, active]
        return tf.concat(parts, axis=-1), tf.reduce_sum(log_slopes, axis=-1)

    def forward_and_log_det(self, z, context=None):
        return self._apply(z, context, inverse=False)

    def inverse_and_log_det(self, x, context=None):
        return self._apply(x, context, inverse=True)


class AffineCoupling(Coupling):
    """Affine coupling with bounded log-scales.

        forward: b' = b * exp(s) + t        inverse: b = (b' - t) * exp(-s)
        (s, t) = theta(a, context),  |s| < log_scale_bound

    The identity at initialisation, because a conditioner's last layer starts at zero.

    Args:
        dim, conditioner, transform_first, context_dim: as `Coupling`.
        log_scale_bound: bound of |s|; 2 by default, which eight layers can still combine to a factor of e^16
            in either direction while no single layer can explode.

    Source: Dinh et al. 2017, arXiv:1605.08803, equations 7 and 8; bound as in `bounded`.
    """

    def __init__(
        self,
        dim,
        conditioner,
        *,
        transform_first=False,
        log_scale_bound=2.0,
        context_dim=0,
        dtype=tf.float32,
        name="affine_coupling",
    ):
        if not log_scale_bound > 0:
            raise SettingsError(f"{name}: expected log_scale_bound > 0; got {log_scale_bound}")
        super().__init__(
            dim, conditioner, 2, transform_first=transform_first, context_dim=context_dim, dtype=dtype, name=name
        )
        self.log_scale_bound = float(log_scale_bound)

    def elementwise(self, parameters, value, *, inverse):
        log_scale = bounded(parameters[..., 0], self.log_scale_bound)
        loc = parameters[..., 1]
        if inverse:
            return (value - loc) * tf.exp(-log_scale), -log_scale
        return value * tf.exp(log_scale) + loc, log_scale


class SplineCoupling(Coupling):
    """Monotone rational-quadratic-spline coupling with linear tails.

        b' = RQS(b; theta(a, context)) inside [-bound, bound], b' = b outside

    The identity at initialisation: equal bins and unit slopes. `tfb.RationalQuadraticSpline` computes the same
    map; ours returns the map and its log-slope from one evaluation, which is why it exists (FlowBijector).

    Args:
        dim, conditioner, transform_first, context_dim: as `Coupling`.
        bins: number of spline bins.
        bound: half-width of the interval that the spline bends; 5 by default, because standardised data and a
            standard normal latent both lie within it but for 6 points in 10 million.
        min_bin: smallest bin width and height, as a share of the interval.
        min_slope: smallest slope at a knot.

    Source: Durkan et al. 2019, arXiv:1906.04032, equations 4 to 8.
    """

    def __init__(
        self,
        dim,
        conditioner,
        *,
        transform_first=False,
        bins=8,
        bound=5.0,
        min_bin=1e-3,
        min_slope=1e-3,
        context_dim=0,
        dtype=tf.float32,
        name="spline_coupling",
    ):
        if bins < 2 or bins * min_bin >= 1:
            raise SettingsError(f"{name}: expected bins >= 2 and bins * min_bin < 1; got {bins} and {min_bin}")
        if not bound > 0 or not 0 < min_slope < 1:
            raise SettingsError(f"{name}: expected bound > 0 and 0 < min_slope < 1; got {bound} and {min_slope}")
        super().__init__(
            dim,
            conditioner,
            3 * bins - 1,
            transform_first=transform_first,
            context_dim=context_dim,
            dtype=dtype,
            name=name,
        )
        self.bins, self.bound, self.min_bin, self.min_slope = bins, float(bound), float(min_bin), float(min_slope)

    def elementwise(self, parameters, value, *, inverse):
        # The closed formula serves the direction that training uses (data to latent), the quadratic the other.
        return rational_quadratic(
            value,
            parameters,
            bins=self.bins,
            bound=self.bound,
            min_bin=self.min_bin,
            min_slope=self.min_slope,
            inverse=not inverse,
        )
