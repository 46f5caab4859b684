"""Whitening of latents, fitted after training."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from flowpkg.bijectors.base import FlowBijector

PRIOR_COUNT = 200  # validation images that the training variance of a direction is worth


class LatentWhitening(FlowBijector):
    """Affine map that gives latents zero mean and, as far as data can tell, unit covariance.

        inverse: z = A (D^-1 (u - loc)),  A = I + B diag(exp(-log_factor) - 1) B^T,  D = diag(exp(log_scale))
        forward: u = loc + D A^-1 z,      A^-1 = I + B diag(exp(log_factor) - 1) B^T
        log|det dz/du| = -sum(log_scale) - sum(log_factor)

    The columns of B are orthonormal, so that A, its inverse and its determinant are known in closed form and a
    map costs 4 N k operations instead of 2 N^2. Fitted by `fit`, not by gradients; the identity until then. The
    first `skip` entries, where labels are, stay as they are.

    Args:
        dim: length N of the vectors.
        components: number k of directions; 0 scales each entry only.
        skip: entries left alone.

    Source: Tipping & Bishop 1999, Journal of the Royal Statistical Society B 61, 611 (probabilistic principal
        components).
    """

    def __init__(self, dim, components, *, skip=0, dtype=tf.float32, name="latent_whitening"):
        super().__init__(dtype=dtype, name=name)
        self.skip = int(skip)
        self.components = min(int(components), dim - skip)
        self.loc = tf.Variable(np.zeros(dim), trainable=False, dtype=dtype, name="loc")
        self.log_scale = tf.Variable(np.zeros(dim), trainable=False, dtype=dtype, name="log_scale")
        self.basis = tf.Variable(np.zeros((dim, self.components)), trainable=False, dtype=dtype, name="basis")
        self.log_factor = tf.Variable(np.zeros(self.components), trainable=False, dtype=dtype, name="log_factor")

    def fit(self, latents: np.ndarray, validation: np.ndarray) -> float:
        """Fit on latents of training data; which directions count is decided on those of validation data.

        The directions are the leading principal components of the standardised latents, widest first. Along
        directions fitted to few images the training variance is too large, so the variance is taken from
        validation latents, with the training one as 200 more. Scaling a direction to it changes the mean
        log-density of validation latents by a closed formula; only directions that gain are kept.

        Args:
            latents: `[n, N]`.
            validation: `[m, N]`.

        Returns:
            The gain of the mean log-density of validation latents, in nats; 0.0 if nothing gains, and the map is
            then the identity.
        """
        latents, validation = (np.asarray(values, np.float64)[:, self.skip :] for values in (latents, validation))
        loc, scale = latents.mean(axis=0), np.maximum(latents.std(axis=0), 1e-3)
        train, held = (latents - loc) / scale, (validation - loc) / scale
        gain = 0.5 * float(np.mean(np.sum(validation**2 - held**2, axis=1))) - float(np.log(scale).sum())
        basis, variance = _principal(train, self.components)
        square = np.mean((held @ basis) ** 2, axis=0)
        variance = (len(held) * square + PRIOR_COUNT * variance) / (len(held) + PRIOR_COUNT)
        # log N(c; 0, variance) - log N(c; 0, 1) of the coordinate c along each direction.
        each = 0.5 * square * (1.0 - 1.0 / variance) - 0.5 * np.log(variance)
        kept = each > 0
        gain += float(each[kept].sum())
        if not gain > 0:
            return 0.0
        count = len(variance)
        columns, log_factor = np.zeros((len(loc), self.components)), np.zeros(self.components)
        columns[:, :count], log_factor[:count] = basis, np.where(kept, 0.5 * np.log(variance), 0.0)
        before = (self.skip, 0)
        self.loc.assign(np.pad(loc, before))
        self.log_scale.assign(np.pad(np.log(scale), before))
        self.basis.assign(np.pad(columns, (before, (0, 0))))
        self.log_factor.assign(log_factor)
        return gain

    def _turn(self, value, factor):
        shape = tf.shape(value)
        value = tf.reshape(value, [-1, value.shape[-1]])
        along = tf.matmul(value, self.basis) * (tf.exp(factor) - 1.0)
        return tf.reshape(value + tf.matmul(along, self.basis, transpose_b=True), shape)

    def _log_det(self, value):
        total = tf.reduce_sum(self.log_scale) + tf.reduce_sum(self.log_factor)
        return tf.broadcast_to(total, tf.shape(value)[:-1])

    def forward_and_log_det(self, z, context=None):
        return self._turn(z, self.log_factor) * tf.exp(self.log_scale) + self.loc, self._log_det(z)

    def inverse_and_log_det(self, x, context=None):
        scaled = (x - self.loc) * tf.exp(-self.log_scale)
        return self._turn(scaled, -self.log_factor), -self._log_det(x)


def _principal(values: np.ndarray, components: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the `components` principal directions `[N, k]` of `values [n, N]`, and their variances `[k]`."""
    components = min(components, *values.shape)
    if components == 0:
        return np.zeros((values.shape[1], 0)), np.ones(0)
    if values.shape[1] <= 4096:
        variance, vectors = np.linalg.eigh(values.T @ values / len(values))
        return vectors[:, ::-1][:, :components], np.maximum(variance[::-1][:components], 1e-6)
    from sklearn.utils.extmath import randomized_svd

    _, singular, rows = randomized_svd(values, components, random_state=0)
    return rows.T, np.maximum(singular**2 / len(values), 1e-6)
