"""Two-sample diagnostics: classifier test and energy distance to the standard normal."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy.spatial.distance import pdist
from scipy.special import gammaln, hyp1f1


class Estimate(NamedTuple):
    """A number and its standard error."""

    value: float
    standard_error: float


def c2st(first: np.ndarray, second: np.ndarray, rng: np.random.Generator, *, folds: int = 5) -> Estimate:
    """Return the accuracy of a classifier that tells two sample sets apart (C2ST); 0.5 means it cannot.

    A network of two hidden layers of `10 * dim` ReLU units on standardised data, accuracy over held-out folds.

    Args:
        first, second: `[n, d]` and `[m, d]`; the larger is cut to the size of the smaller.
        rng: for folds and initial weights.
        folds: number of folds.

    Returns:
        Accuracy and its binomial standard error, `sqrt(a (1 - a) / (2 n))`.

    Source: Lopez-Paz & Oquab 2017, arXiv:1610.06545; settings of sbibm (Lueckmann et al. 2021, arXiv:2101.04653).
    """
    import warnings

    from sklearn.exceptions import ConvergenceWarning
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    n = min(len(first), len(second))
    data = np.concatenate([first[:n], second[:n]])
    label = np.repeat([0, 1], n)
    width = 10 * data.shape[1]
    state = int(rng.integers(2**31))
    network = MLPClassifier((width, width), max_iter=200, solver="adam", random_state=state)
    split = StratifiedKFold(folds, shuffle=True, random_state=state)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        guess = cross_val_predict(make_pipeline(StandardScaler(), network), data, label, cv=split)
    accuracy = float(np.mean(guess == label))
    return Estimate(accuracy, math.sqrt(accuracy * (1.0 - accuracy) / len(label)))


def energy_distance_to_normal(sample: np.ndarray) -> float:
    """Return the squared energy distance between a sample and the standard normal of its dimension.

        2 E|x - Z| - E|Z - Z'| - E|x - x'|     with E over the sample (pairs i != j) and Z, Z' ~ N(0, I)

    The two expectations over Z are exact, so the estimate is unbiased and may fall below zero.

    Args:
        sample: `[n, d]`.

    Source: Szekely & Rizzo 2005, J. Multivariate Analysis 93, 58-80, section 2.
    """
    dim = sample.shape[1]
    gamma_ratio = math.exp(gammaln((dim + 1) / 2) - gammaln(dim / 2))
    to_normal = math.sqrt(2.0) * gamma_ratio * hyp1f1(-0.5, dim / 2, -0.5 * np.sum(sample**2, axis=1))
    return float(2.0 * to_normal.mean() - 2.0 * gamma_ratio - pdist(sample).mean())


def energy_distance_null(n: int, dim: int, rng: np.random.Generator, replicates: int) -> np.ndarray:
    """Return energy distances of `replicates` standard normal samples `[n, dim]`, the null distribution."""
    return np.array([energy_distance_to_normal(rng.standard_normal((n, dim))) for _ in range(replicates)])
