"""The most probable u and the normal approximation around it, by damped Gauss-Newton steps."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

STEP = 1e-5


class Optimum(NamedTuple):
    """Results of `optimise` for each start: `[s, P]`, `[s]` in nats, `[s, P, P]`."""

    u: np.ndarray
    log_joint: np.ndarray
    precision: np.ndarray


def white_residual(problem, u: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the noise `[..., M]`, in standard deviations, that u `[..., P]` leaves of observations `[..., M]`."""
    if hasattr(problem, "from_normal"):
        return problem.recovered_noise(problem.from_normal(u), y)
    return (y - problem.simulate(u)) / problem.noise


def log_joint(problem, u: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return log p(u, y) `[...]` in nats up to a constant; -inf where the simulator failed."""
    square = (u**2).sum(axis=-1) + (white_residual(problem, u, y) ** 2).sum(axis=-1)
    return np.where(np.isfinite(square), -0.5 * square, -np.inf)


def jacobian(problem, u: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return d(white residual)/du `[s, M, P]` at u `[s, P]` by central differences."""
    step = STEP * np.eye(u.shape[-1])
    both = np.stack([u[:, None, :] + step, u[:, None, :] - step])
    ahead, back = white_residual(problem, both, y[:, None, :])
    return np.swapaxes(ahead - back, 1, 2) / (2.0 * STEP)


def optimise(problem, start: np.ndarray, y: np.ndarray, *, iterations: int = 60) -> Optimum:
    """Maximise log p(u, y) from each start, and return the Gauss-Newton precision I + J^T J there.

    Levenberg's damping is lowered after a step that helps and raised after one that does not, for each start alone.

    Args:
        start: `[s, P]`.
        y: the observation of each start, `[s, M]`.
        iterations: most steps; it stops earlier when no start gains 1e-6 nats.

    Source: Nocedal & Wright 2006, Numerical Optimization, section 10.3.
    """
    u, value = np.array(start, np.float64), log_joint(problem, start, y)
    damping, identity = np.full(len(u), 1.0), np.eye(u.shape[-1])
    for _ in range(iterations):
        slope = jacobian(problem, u, y)
        residual = white_residual(problem, u, y)
        gradient = u + np.einsum("smp,sm->sp", slope, residual)
        curvature = identity + np.einsum("smp,smq->spq", slope, slope)
        scale = damping[:, None, None] * np.einsum("spq,pq->spq", curvature, identity)
        tried = u - np.linalg.solve(curvature + scale, gradient[..., None])[..., 0]
        found = log_joint(problem, tried, y)
        better = found > value
        gain = np.where(better, found - value, 0.0)
        u = np.where(better[:, None], tried, u)
        value = np.where(better, found, value)
        damping = np.where(better, damping / 5.0, damping * 4.0).clip(1e-9, 1e9)
        if gain.max() < 1e-6 and (better | (damping > 1e6)).all():
            break
    slope = jacobian(problem, u, y)
    return Optimum(u, value, identity + np.einsum("smp,smq->spq", slope, slope))


def starting_points(problem, y: np.ndarray, chains: int, rng: np.random.Generator) -> tuple[Optimum, np.ndarray]:
    """Return the best optimum of each observation, and a start for each chain, `[chains, m, P]`.

    Every chain has a prior draw of its own (the first the prior's median), climbed to its own optimum, and starts
    from there: chains in several modes disagree, which R-hat reports. Optima more than 15 nats below the best carry
    no weight (exp(-15) = 3e-7) and are replaced by the best one.

    Args:
        y: observations `[m, M]`.
        chains: chains for each observation.
        rng: for the prior draws and for the spread around the optima.
    """
    m, dim = len(y), problem.dim
    start = rng.standard_normal((chains, m, dim))
    start[0] = 0.0
    repeated = np.broadcast_to(y, (chains, *y.shape)).reshape(chains * m, -1)
    found = optimise(problem, start.reshape(-1, dim), repeated)
    value = found.log_joint.reshape(chains, m)
    best = value.argmax(axis=0) * m + np.arange(m)
    top = Optimum(*(part[best] for part in found))
    u = found.u.reshape(chains, m, dim)
    u = np.where((value > value.max(axis=0) - 15.0)[..., None], u, top.u)
    return top, u
