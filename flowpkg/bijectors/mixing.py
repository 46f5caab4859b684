"""Fixed volume-preserving mixing of dimensions between couplings."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from flowpkg.bijectors.base import FlowBijector, times
from flowpkg.errors import SettingsError


class Permutation(FlowBijector):
    """Fixed permutation of the dimensions: `inverse: z[i] = x[permutation[i]]`, log-determinant zero.

    `tfb.Permute` does the same but keeps the permutation outside its variables; here it is a variable, so that
    a saved model carries it.

    Args:
        permutation: `[N]` integers, each of 0 .. N-1 once.
    """

    def __init__(self, permutation, *, dtype=tf.float32, name="permutation"):
        super().__init__(dtype=dtype, name=name)
        permutation = np.asarray(permutation)
        if sorted(permutation.tolist()) != list(range(permutation.size)):
            raise SettingsError(f"{name}: expected each of 0 .. {permutation.size - 1} once; got {permutation}")
        self.permutation = tf.Variable(permutation.astype(np.int32), trainable=False, name="permutation")

    def forward_and_log_det(self, z, context=None):
        return tf.gather(z, tf.argsort(self.permutation), axis=-1), tf.zeros(tf.shape(z)[:-1], z.dtype)

    def inverse_and_log_det(self, x, context=None):
        return tf.gather(x, self.permutation, axis=-1), tf.zeros(tf.shape(x)[:-1], x.dtype)


class OrthogonalMixing(FlowBijector):
    """Fixed rotation of the whole vector: `inverse: z = Q x`, log-determinant zero.

    Mixes all dimensions between two couplings, where a permutation only regroups them.

    Args:
        matrix: `[N, N]`, orthogonal within 1e-6.

    Source: Ardizzone et al. 2019b (FrEIA), "fixed random orthogonal matrices", arXiv:1907.02392, section 3.
    """

    def __init__(self, matrix, *, dtype=tf.float32, name="orthogonal_mixing"):
        super().__init__(dtype=dtype, name=name)
        matrix = np.asarray(matrix, np.float64)
        error = np.abs(matrix @ matrix.T - np.eye(len(matrix))).max()
        if error > 1e-6:
            raise SettingsError(f"{name}: expected an orthogonal matrix; got |Q Q^T - I| up to {error:.2g}")
        self.matrix = tf.Variable(matrix, trainable=False, dtype=dtype, name="matrix")

    @classmethod
    def random(cls, dim: int, rng: np.random.Generator, *, dtype=tf.float32):
        """Draw Q from the uniform (Haar) distribution of rotations: QR of a normal matrix with its signs fixed."""
        q, r = np.linalg.qr(rng.standard_normal((dim, dim)))
        return cls(q * np.sign(np.diag(r)), dtype=dtype)

    def forward_and_log_det(self, z, context=None):
        return times(z, self.matrix, transposed=False), tf.zeros(tf.shape(z)[:-1], z.dtype)

    def inverse_and_log_det(self, x, context=None):
        return times(x, self.matrix), tf.zeros(tf.shape(x)[:-1], x.dtype)
