"""How posteriors widen with the noise: one flow asked at every level, beside the normal approximation."""

from __future__ import annotations

import numpy as np

from flowpkg.references.laplace import optimise
from flowpkg.seeds import generator, tensorflow_seed

LEVELS, OBSERVATIONS, SAMPLES, STARTS = 7, 60, 400, 20


def spread_at_levels(model, problem, test_x: np.ndarray, seed: int) -> tuple[dict[str, float], dict[str, np.ndarray]]:
    """Return posterior over prior deviations of log x at several noise levels, the same models and noise at each.

    Args:
        model: a conditional flow whose last datum is the log of the noise level.
        problem: with `observe` and `at_level`, see `SeismogramsAnyNoise`.
        test_x: held-out profiles `[n, P]`.
        seed: the run's seed.

    Returns:
        Metrics, and the arrays `levels [l]`, `level_spread [l, P]` and `level_normal [l, P]`: the same of the normal
        approximation around the most probable profile.
    """
    x = test_x[:OBSERVATIONS]
    e = generator(seed, "noise at levels").standard_normal((len(x), len(problem.y_names) - 1))
    prior = np.sqrt(np.diag(problem.log_covariance))
    # The ends of the range are the edge of what was simulated.
    levels = np.geomspace(1.2 * problem.noise, problem.noise_most / 1.2, LEVELS)
    spread, normal = [], []
    for index, level in enumerate(levels):
        y = problem.observe(x, e, level)
        samples = model.posterior(y, SAMPLES, seed=tensorflow_seed(seed, "posterior at level", index))
        spread.append(np.log(samples.astype(np.float64)).std(axis=1, ddof=1).mean(axis=0) / prior)
        # Started at the truth: the optimum that matters, where there are several.
        found = optimise(problem.at_level(level), problem.to_normal(x[:STARTS]), y[:STARTS, :-1])
        covariance = problem.root @ np.linalg.inv(found.precision) @ problem.root.T
        normal.append(np.sqrt(np.einsum("spp->sp", covariance)).mean(axis=0) / prior)
    spread, normal = np.array(spread), np.array(normal)
    metrics = {
        "level_spread_ratio": (spread / normal).mean(),
        "level_spread_ratio_min": (spread / normal).min(),
        "level_spread_ratio_max": (spread / normal).max(),
    }
    return metrics, {"levels": levels, "level_spread": spread, "level_normal": normal}
