"""Diagnostics on cases with a known answer."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from flowpkg.diagnostics.anomaly import auroc, reference_scores
from flowpkg.diagnostics.two_sample import c2st, energy_distance_null, energy_distance_to_normal


def rng():
    return np.random.default_rng(0)


def test_c2st_is_half_for_equal_sets_and_the_bayes_rate_for_a_shift():
    a, b = rng().standard_normal((2, 2000, 2))
    same = c2st(a, b, rng())
    # 4.5 standard errors: a false alarm in 150,000.
    assert abs(same.value - 0.5) < 4.5 * same.standard_error
    # A shift of 2 along one axis: the best accuracy is Phi(1) = 0.8413.
    shifted = c2st(a, b + [2.0, 0.0], rng())
    assert shifted.value == pytest.approx(0.8413, abs=0.03)
    assert shifted.standard_error == pytest.approx(np.sqrt(0.8413 * 0.1587 / 4000), rel=0.1)


@pytest.mark.parametrize("dim", [1, 2, 10])
def test_energy_distance_is_unbiased_and_sees_a_shift(dim):
    null = energy_distance_null(200, dim, rng(), 100)
    assert abs(null.mean()) < 4.5 * null.std() / 10
    assert energy_distance_to_normal(rng().standard_normal((200, dim)) + 0.5) > np.quantile(null, 0.95)
    assert energy_distance_to_normal(1.5 * rng().standard_normal((400, dim))) > np.quantile(null, 0.95)


def test_energy_distance_of_a_point_mass_has_a_closed_form():
    # Two points at zero in one dimension: 2 E|Z| - E|Z - Z'| = 2 sqrt(2/pi) - 2/sqrt(pi).
    expected = 2 * np.sqrt(2 / np.pi) - 2 / np.sqrt(np.pi)
    assert energy_distance_to_normal(np.zeros((2, 1))) == pytest.approx(expected)


def test_auroc_agrees_with_sklearn_and_its_interval_covers():
    normal, odd = np.round(rng().standard_normal(300), 1), np.round(rng().standard_normal(200) + 1.0, 1)
    area = auroc(normal, odd, rng(), replicates=200)
    label = np.repeat([0, 1], [300, 200])
    assert area.value == pytest.approx(roc_auc_score(label, np.concatenate([normal, odd])))
    # Truth for a shift of one: Phi(1/sqrt 2) = 0.760.
    assert area.low < 0.760 < area.high and 0.02 < area.high - area.low < 0.15


def test_reference_detectors_rank_far_points_first():
    train = rng().standard_normal((200, 3))
    scores = reference_scores(train, {"near": train[:50], "far": train[:50] + 8.0}, rng())
    assert set(scores) == {"isolation_forest", "local_outlier_factor", "gaussian"}
    for groups in scores.values():
        assert groups["far"].min() > groups["near"].max()
