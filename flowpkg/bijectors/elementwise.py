"""Elementwise and linear bijectors: logarithm, standardisation fitted on data, ActNorm, linear prediction."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from flowpkg.bijectors.base import FlowBijector, times
from flowpkg.errors import DataError, SettingsError


class Standardise(FlowBijector):
    """Affine map fitted once on training data: `z = A (x - loc)`, with `A` lower triangular or diagonal.

        inverse: z = inverse_scale (x - loc)        forward: x = loc + scale z

    Not trainable. Fit it with `Standardise.fit` on training data only.

    Args:
        loc: `[N]`.
        scale: `[N, N]`, lower triangular with a positive diagonal; `x = loc + scale z`.
    """

    def __init__(self, loc, scale, *, dtype=tf.float32, name="standardise"):
        super().__init__(dtype=dtype, name=name)
        loc, scale = np.asarray(loc, np.float64), np.asarray(scale, np.float64)
        if scale.shape != (loc.size, loc.size):
            raise SettingsError(f"{name}: expected a scale of shape {(loc.size, loc.size)}; got {scale.shape}")
        if not np.all(np.diag(scale) > 0):
            raise SettingsError(f"{name}: expected a positive diagonal of scale; got {np.diag(scale).min()}")
        self.loc = tf.Variable(loc, trainable=False, dtype=dtype, name="loc")
        self.scale = tf.Variable(scale, trainable=False, dtype=dtype, name="scale")
        self.inverse_scale = tf.Variable(np.linalg.inv(scale), trainable=False, dtype=dtype, name="inverse_scale")

    @classmethod
    def fit(
        cls,
        data: np.ndarray,
        kind: str = "diagonal",
        *,
        names: list[str] | None = None,
        dtype=tf.float32,
        name: str = "standardise",
    ):
        """Fit on training data.

        Args:
            data: `[n, N]`, training data only, so that no held-out point leaks into the model.
            kind: `none` (identity), `diagonal` (zero mean, unit variance) or `full` (whitened by the Cholesky
                factor of the covariance).
            names: column names for error messages.

        Raises:
            DataError: a column is constant, or the covariance is singular for `full`.
            SettingsError: unknown `kind`.
        """
        data = np.asarray(data, np.float64)
        dim = data.shape[1]
        if kind == "none":
            return cls(np.zeros(dim), np.eye(dim), dtype=dtype, name=name)
        loc, deviation = data.mean(axis=0), data.std(axis=0)
        for column in np.flatnonzero(~(deviation > 1e-12 * (1.0 + np.abs(loc)))):
            label = names[column] if names else f"number {column}"
            raise DataError(f"column {label}: expected values that vary; got the constant {data[0, column]:g}")
        if kind == "diagonal":
            return cls(loc, np.diag(deviation), dtype=dtype, name=name)
        if kind == "full":
            correlation = np.corrcoef(data, rowvar=False)
            try:
                factor = np.linalg.cholesky(correlation)
            except np.linalg.LinAlgError:
                factor = None
            if factor is None or np.diag(factor).min() < 1e-6:
                raise DataError(
                    "standardise full: expected linearly independent columns and more rows than columns; got a "
                    "singular covariance. Use standardise: diagonal, or leave a column out"
                )
            return cls(loc, deviation[:, None] * factor, dtype=dtype, name=name)
        raise SettingsError(f"standardise: expected none, diagonal or full; got {kind}")

    def _log_det(self, value):
        log_det = tf.reduce_sum(tf.math.log(tf.linalg.diag_part(self.scale)))
        return tf.broadcast_to(log_det, tf.shape(value)[:-1])

    def forward_and_log_det(self, z, context=None):
        return times(z, self.scale) + self.loc, self._log_det(z)

    def inverse_and_log_det(self, x, context=None):
        return times(x - self.loc, self.inverse_scale), -self._log_det(x)


class Logarithm(FlowBijector):
    """Logarithm of quantities that have one sign; columns of sign 0 are left as they are.

        inverse: z_i = log(sign_i x_i)        forward: x_i = sign_i exp(z_i)

    Thicknesses, velocities and other positive numbers then stay positive in every sample, and products of them
    become sums, which is what linear starts and couplings do best.

    Args:
        sign: `[N]`, each 1, -1 or 0.
    """

    def __init__(self, sign, *, dtype=tf.float32, name="logarithm"):
        super().__init__(dtype=dtype, name=name)
        sign = np.asarray(sign, np.float64)
        if sign.ndim != 1 or not np.isin(sign, (-1.0, 0.0, 1.0)).all():
            raise SettingsError(f"{name}: expected signs 1, -1 or 0; got {sign}")
        self.sign = tf.Variable(sign, trainable=False, dtype=dtype, name="sign")

    @classmethod
    def fit(cls, data: np.ndarray, columns: int, *, names: list[str] | None = None, dtype=tf.float32):
        """Take the signs of the first `columns` columns from training data `[n, N]`, 0 for the others.

        Raises:
            DataError: one of these columns changes its sign or holds a zero.
        """
        sign = np.zeros(data.shape[1])
        for column in range(columns):
            low, high = float(data[:, column].min()), float(data[:, column].max())
            if not low * high > 0:
                label = names[column] if names else f"number {column}"
                raise DataError(f"logarithm: column {label}: expected numbers of one sign; got {low:g} to {high:g}")
            sign[column] = np.sign(low)
        return cls(sign, dtype=dtype)

    def _log_det(self, log_size):
        return tf.reduce_sum(tf.abs(self.sign) * log_size, axis=-1)

    def forward_and_log_det(self, z, context=None):
        logged = tf.abs(self.sign) > 0
        # The branch not taken must be finite, or its gradient is not a number.
        return tf.where(logged, self.sign * tf.exp(tf.where(logged, z, 0.0)), z), self._log_det(z)

    def inverse_and_log_det(self, x, context=None):
        logged = tf.abs(self.sign) > 0
        z = tf.where(logged, tf.math.log(tf.where(logged, self.sign * x, 1.0)), x)
        return z, -self._log_det(z)


class ActNorm(FlowBijector):
    """Trainable shift and scale of each dimension, initialised so that its output is standardised.

        inverse: z = (x - loc) * exp(-log_scale)        forward: x = loc + z * exp(log_scale)

    Starts as the identity; `initialise` sets it from data that has passed the layers before it.

    Args:
        dim: length N of the vectors.

    Source: Kingma & Dhariwal 2018, arXiv:1807.03039, section 3.1.
    """

    def __init__(self, dim, *, dtype=tf.float32, name="actnorm"):
        super().__init__(dtype=dtype, name=name)
        self.loc = tf.Variable(np.zeros(dim), dtype=dtype, name="loc")
        self.log_scale = tf.Variable(np.zeros(dim), dtype=dtype, name="log_scale")

    def initialise(self, data: tf.Tensor, context: tf.Tensor | None = None) -> None:
        """Set shift and scale so that the inverse gives `data [n, N]` zero mean and unit variance."""
        del context
        loc, variance = tf.nn.moments(data, axes=[0])
        self.loc.assign(loc)
        self.log_scale.assign(0.5 * tf.math.log(variance + tf.cast(1e-6, variance.dtype)))

    def forward_and_log_det(self, z, context=None):
        log_det = tf.broadcast_to(tf.reduce_sum(self.log_scale), tf.shape(z)[:-1])
        return z * tf.exp(self.log_scale) + self.loc, log_det

    def inverse_and_log_det(self, x, context=None):
        log_det = tf.broadcast_to(tf.reduce_sum(self.log_scale), tf.shape(x)[:-1])
        return (x - self.loc) * tf.exp(-self.log_scale), -log_det


class LinearContext(FlowBijector):
    """Fixed linear prediction from the context taken off, and what is left whitened.

        inverse: z = A^-1 (x - B c)        forward: x = B c + A z        A lower triangular

    Where x depends on the context c linearly with normal noise, z is standard normal and independent of c. A
    trained conditional flow then only has to learn what is not linear.

    Args:
        slope: B, `[N, C]`.
        scale: A, `[N, N]`, lower triangular with a positive diagonal.
    """

    def __init__(self, slope, scale, *, dtype=tf.float32, name="linear_context"):
        super().__init__(dtype=dtype, name=name)
        slope, scale = np.asarray(slope, np.float64), np.asarray(scale, np.float64)
        self.slope = tf.Variable(slope, trainable=False, dtype=dtype, name="slope")
        self.scale = tf.Variable(scale, trainable=False, dtype=dtype, name="scale")
        self.inverse_scale = tf.Variable(np.linalg.inv(scale), trainable=False, dtype=dtype, name="inverse_scale")

    @classmethod
    def fit(cls, data: np.ndarray, context: np.ndarray, *, dtype=tf.float32):
        """Fit by least squares on training data `[n, N]` and context `[n, C]`, both of mean zero.

        Raises:
            DataError: the context determines a combination of the data exactly, so that nothing is left to whiten.
        """
        slope = np.linalg.lstsq(context, data, rcond=None)[0].T
        rest = data - context @ slope.T
        covariance = rest.T @ rest / len(rest)
        value = np.linalg.eigvalsh(covariance).min()
        if value < 1e-8:
            raise DataError(
                "flow.linear_start: expected data that y does not determine linearly; got a residual variance of "
                f"{value:.2g}. Use linear_start: false, or an invertible flow"
            )
        return cls(slope, np.linalg.cholesky(covariance), dtype=dtype)

    def _parts(self, value, context):
        if context is None:
            raise SettingsError(f"{self.name}: expected a context of width {self.slope.shape[1]}; got none")
        log_det = tf.reduce_sum(tf.math.log(tf.linalg.diag_part(self.scale)))
        return times(context, self.slope), tf.broadcast_to(log_det, tf.shape(value)[:-1])

    def forward_and_log_det(self, z, context=None):
        predicted, log_det = self._parts(z, context)
        return predicted + times(z, self.scale), log_det

    def inverse_and_log_det(self, x, context=None):
        predicted, log_det = self._parts(x, context)
        return times(x - predicted, self.inverse_scale), -log_det
