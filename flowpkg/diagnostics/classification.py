"""Are class probabilities right? Accuracy, reliability, expected calibration error."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp

from flowpkg.diagnostics.two_sample import Estimate
from flowpkg.errors import DataError


class Reliability(NamedTuple):
    """Mean confidence, accuracy and count of each bin that holds anything."""

    confidence: np.ndarray
    accuracy: np.ndarray
    count: np.ndarray


def _check(probability: np.ndarray, label: np.ndarray) -> None:
    if np.ndim(probability) != 2 or np.shape(label) != (len(probability),):
        raise DataError(
            f"classification: expected probabilities [n, K] and labels [n]; got {np.shape(probability)} and "
            f"{np.shape(label)}"
        )


def accuracy(probability: np.ndarray, label: np.ndarray) -> Estimate:
    """Return the share of rows whose most probable class is the label, with its binomial standard error."""
    _check(probability, label)
    value = float(np.mean(probability.argmax(axis=1) == label))
    return Estimate(value, float(np.sqrt(value * (1.0 - value) / len(label))))


def reliability(probability: np.ndarray, label: np.ndarray, *, bins: int = 10) -> Reliability:
    """Return accuracy against confidence, the probability of the most probable class.

    Args:
        probability: `[n, K]`.
        label: `[n]`.
        bins: equal bins from 1/K, the least confidence there can be, to 1; empty ones are left out.

    Source: Guo et al. 2017, arXiv:1706.04599, section 2.
    """
    _check(probability, label)
    confidence, hit = probability.max(axis=1), probability.argmax(axis=1) == label
    low = 1.0 / probability.shape[1]
    place = np.zeros(len(label), int)
    if low < 1.0:
        place = np.clip(((confidence - low) / (1.0 - low) * bins).astype(int), 0, bins - 1)
    count = np.bincount(place, minlength=bins)
    kept = count > 0
    mean = [np.bincount(place, weights=value, minlength=bins)[kept] / count[kept] for value in (confidence, hit)]
    return Reliability(*mean, count[kept])


def expected_calibration_error(
    probability: np.ndarray, label: np.ndarray, *, rng: np.random.Generator, bins: int = 10, replicates: int = 200
) -> Estimate:
    """Return the mean over rows of |accuracy - confidence| of their bin, with a bootstrap standard error.

    Source: Guo et al. 2017, arXiv:1706.04599, equation 3.
    """

    def error(rows):
        found = reliability(probability[rows], label[rows], bins=bins)
        return float(np.sum(found.count * np.abs(found.accuracy - found.confidence)) / found.count.sum())

    n = len(label)
    again = [error(rng.integers(0, n, n)) for _ in range(replicates)]
    return Estimate(error(slice(None)), float(np.std(again, ddof=1)))


def label_nll(logit: np.ndarray, label: np.ndarray) -> Estimate:
    """Return the mean of -log p(label | x) in nats, p the softmax of `logit [n, K]`, with its standard error."""
    _check(logit, label)
    loss = logsumexp(logit, axis=1) - logit[np.arange(len(label)), label]
    return Estimate(float(loss.mean()), float(loss.std(ddof=1) / np.sqrt(len(loss))))


def fit_temperature(logit: np.ndarray, label: np.ndarray) -> float:
    """Return T > 0 that minimises the mean of -log softmax(logit / T)[label], within 0.01 and 10,000.

    Densities in many dimensions differ by tens of nats where labels are in doubt, so Bayes' rule is sure of itself
    even where it errs; one number fitted on validation images mends that and changes no decision.

    Source: Guo et al. 2017, arXiv:1706.04599, section 4.2.
    """
    found = minimize_scalar(
        lambda log_t: label_nll(logit / np.exp(log_t), label).value,
        bounds=(np.log(0.01), np.log(1e4)),
        method="bounded",
    )
    return float(np.exp(found.x))
