"""The problems' simulators once more in TensorFlow, so that they have gradients."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from flowpkg.errors import SettingsError
from flowpkg.problems.glacier import GRAVITATIONAL_CONSTANT, MGAL, Glacier
from flowpkg.problems.linear_gaussian import LinearGaussian
from flowpkg.problems.seismograms import Seismograms, impedance

Simulator = Callable[[tf.Tensor], tf.Tensor]


def linear_gaussian_simulator(problem: LinearGaussian) -> Simulator:
    """Return u `[..., P]` to data `[..., M]`; here u is x."""
    operator = tf.constant(problem.operator.T, tf.float64)
    return lambda u: tf.linalg.matmul(u, operator)


def profile_from_normal(problem, u: tf.Tensor) -> tf.Tensor:
    """Return the profiles `[..., P]` of standard normal u `[..., P]`, as `FieldProblem.from_normal`."""
    return problem.trend * tf.exp(tf.linalg.matmul(u, tf.constant(problem.root.T)))


def glacier_simulator(problem: Glacier) -> Simulator:
    """Return u `[..., P]` to gravity `[..., M]` in mGal, as `polygon_gravity_mgal`."""
    x = tf.constant(problem.corners)
    dx = x[:, 1:] - x[:, :-1]
    # Talwani's sum: edges along the flat surface point at each station, and contribute nothing.
    constant = 2.0 * GRAVITATIONAL_CONSTANT * MGAL * problem.density

    def simulate(u: tf.Tensor) -> tf.Tensor:
        thickness = profile_from_normal(problem, u)
        margin = tf.zeros_like(thickness[..., :1])
        z = tf.concat([margin, thickness, margin], axis=-1)[..., None, :]
        log_r, angle = 0.5 * tf.math.log(x**2 + z**2), tf.math.atan2(z, x)
        dz = z[..., 1:] - z[..., :-1]
        edges = dz * (log_r[..., 1:] - log_r[..., :-1]) - dx * (angle[..., 1:] - angle[..., :-1])
        factor = (x[:, 1:] * z[..., :-1] - x[:, :-1] * z[..., 1:]) / (dx**2 + dz**2)
        return constant * tf.reduce_sum(factor * edges, axis=-1)

    return simulate


def seismograms_simulator(problem: Seismograms) -> Simulator:
    """Return u `[..., P]` to traces `[..., M]`, as `Seismograms.simulate`, all frequencies at once."""
    omega = tf.constant(-1j * problem.omega)
    source, kernel = tf.constant(problem.source), tf.constant(problem.kernel)
    last = int(problem.receivers[-1])

    def simulate(u: tf.Tensor) -> tf.Tensor:
        velocity = profile_from_normal(problem, u)
        z = impedance(velocity)
        r = tf.cast((z[..., :-1] - z[..., 1:]) / (z[..., :-1] + z[..., 1:]), tf.complex128)
        delay = tf.cast(problem.thickness / velocity, tf.complex128)
        once = tf.exp(delay[..., None] * omega)
        twice = once**2
        # `below[j]` is the response at the bottom of layer j, `seen[j]` the same seen from its top.
        below = [tf.zeros_like(once[..., 0, :])]
        seen = [below[0]]
        for j in range(problem.dim - 2, -1, -1):
            coefficient = r[..., j, None]
            below.insert(0, (coefficient + seen[0]) / (1.0 + coefficient * seen[0]))
            seen.insert(0, below[0] * twice[..., j, :])
        down = source / (tf.cast(z[..., :1], tf.complex128) * (1.0 - seen[0]))
        waves = []
        for j in range(last):
            bottom = down * once[..., j, :] * (1.0 + below[j])
            if j + 1 in problem.receivers:
                waves.append(bottom)
            down = bottom / (1.0 + seen[j + 1])
        wave = tf.stack(waves, axis=-2)
        traces = tf.linalg.matmul(tf.concat([tf.math.real(wave), tf.math.imag(wave)], axis=-1), kernel)
        return tf.reshape(traces, tf.concat([tf.shape(traces)[:-2], [traces.shape[-2] * traces.shape[-1]]], axis=0))

    return simulate


BUILDERS = {
    LinearGaussian: linear_gaussian_simulator,
    Glacier: glacier_simulator,
    Seismograms: seismograms_simulator,
}


def build_log_joint(problem, y: np.ndarray) -> Simulator:
    """Return u `[..., m, P]` to log p(u, y) `[..., m]` in nats, up to a constant, in float64 and differentiable.

        log p = -|u|^2 / 2 - |K^-1 (y - simulate(u)) / noise|^2 / 2

    Args:
        problem: one that has a simulator here.
        y: observations `[m, M]`.

    Raises:
        SettingsError: the problem has no differentiable simulator, or no noise.
    """
    if type(problem) not in BUILDERS:
        known = ", ".join(kind.__name__ for kind in BUILDERS)
        raise SettingsError(
            f"reference posterior: expected one of the problems {known}, which have a differentiable simulator; "
            f"got {type(problem).__name__}"
        )
    if problem.noise <= 0:
        raise SettingsError(f"reference posterior: expected a data error > 0; got {problem.noise}")
    simulate, observed = BUILDERS[type(problem)](problem), tf.constant(y, tf.float64)
    root = getattr(problem, "noise_root", None)
    whiten = None if root is None else tf.constant(np.linalg.inv(root).T)

    def log_joint(u: tf.Tensor) -> tf.Tensor:
        residual = (observed - simulate(u)) / problem.noise
        if whiten is not None:
            residual = tf.linalg.matmul(residual, whiten)
        return -0.5 * tf.reduce_sum(u**2, axis=-1) - 0.5 * tf.reduce_sum(residual**2, axis=-1)

    return log_joint
