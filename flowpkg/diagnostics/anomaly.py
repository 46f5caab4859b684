"""Anomaly detection: AUROC with its interval, and reference detectors on the same split."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Interval(NamedTuple):
    """A number with the ends of its 95 % bootstrap interval."""

    value: float
    low: float
    high: float


def auroc(normal: np.ndarray, anomaly: np.ndarray, rng: np.random.Generator, *, replicates: int = 1000) -> Interval:
    """Return the chance that an anomaly scores above a normal row, ties counted half, with a bootstrap interval.

    Args:
        normal, anomaly: scores `[n]` and `[k]`, larger is more anomalous.
        rng: for the bootstrap, which resamples both groups.
        replicates: bootstrap replicates.
    """

    def area(low: np.ndarray, high: np.ndarray) -> float:
        low = np.sort(low)
        below = np.searchsorted(low, high, "left") + np.searchsorted(low, high, "right")
        return float(below.mean() / (2 * len(low)))

    draws = [area(rng.choice(normal, len(normal)), rng.choice(anomaly, len(anomaly))) for _ in range(replicates)]
    low, high = np.quantile(draws, [0.025, 0.975])
    return Interval(area(normal, anomaly), float(low), float(high))


def roc_curve(normal: np.ndarray, anomaly: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return false and true positive rates over all thresholds."""
    from sklearn.metrics import roc_curve as sklearn_roc_curve

    label = np.repeat([0, 1], [len(normal), len(anomaly)])
    false_rate, true_rate, _ = sklearn_roc_curve(label, np.concatenate([normal, anomaly]))
    return false_rate, true_rate


def reference_scores(
    train: np.ndarray, groups: dict[str, np.ndarray], rng: np.random.Generator
) -> dict[str, dict[str, np.ndarray]]:
    """Score groups with scikit-learn's detectors fitted on the same training rows.

    Isolation forest (300 trees), local outlier factor (novelty mode, 20 neighbours) and a Gaussian (Mahalanobis
    distance under the empirical covariance), all on standardised columns.

    Args:
        train: `[n, d]`.
        groups: name to `[m, d]`.
        rng: for the forest.

    Returns:
        Method to group to scores, larger is more anomalous.
    """
    from sklearn.covariance import EmpiricalCovariance
    from sklearn.ensemble import IsolationForest
    from sklearn.neighbors import LocalOutlierFactor
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler().fit(train)
    rows = scaler.transform(train)
    forest = IsolationForest(n_estimators=300, random_state=int(rng.integers(2**31))).fit(rows)
    neighbours = LocalOutlierFactor(n_neighbors=min(20, len(rows) - 1), novelty=True).fit(rows)
    gaussian = EmpiricalCovariance().fit(rows)
    score = {
        "isolation_forest": lambda data: -forest.score_samples(data),
        "local_outlier_factor": lambda data: -neighbours.score_samples(data),
        "gaussian": lambda data: gaussian.mahalanobis(data),
    }
    return {
        method: {name: function(scaler.transform(data)) for name, data in groups.items()}
        for method, function in score.items()
    }
