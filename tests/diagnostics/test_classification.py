"""Class probabilities with a known fault."""

import numpy as np
import pytest

from flowpkg.diagnostics.classification import (
    accuracy,
    expected_calibration_error,
    fit_temperature,
    label_nll,
    reliability,
)
from flowpkg.errors import DataError


def rng():
    return np.random.default_rng(0)


def classifier(n, bias, source):
    """Return two-class probabilities whose top class is right with chance `confidence - bias`."""
    confidence = source.uniform(0.7, 1.0, n)
    label = (source.random(n) >= confidence - bias).astype(int)
    return np.stack([confidence, 1 - confidence], axis=1), label


def test_a_hand_made_case_is_exact():
    probability = np.array([[0.95, 0.05], [0.91, 0.09], [0.45, 0.55], [0.48, 0.52]])
    label = np.array([0, 1, 1, 1])
    found = reliability(probability, label)
    np.testing.assert_allclose(found.confidence, [0.52, 0.55, 0.91, 0.95], atol=1e-12)
    np.testing.assert_array_equal(found.accuracy, [1, 1, 0, 1])
    np.testing.assert_array_equal(found.count, [1, 1, 1, 1])
    one = expected_calibration_error(probability, label, bins=1, rng=rng())
    assert one.value == pytest.approx(abs(0.75 - (0.95 + 0.91 + 0.55 + 0.52) / 4))


def test_accuracy_and_its_standard_error():
    found = accuracy(np.eye(4)[[0, 1, 2, 3]], np.array([0, 1, 2, 0]))
    assert found.value == 0.75 and found.standard_error == pytest.approx(np.sqrt(0.75 * 0.25 / 4))


@pytest.mark.parametrize("bias", [0.0, 0.1, 0.2])
def test_a_known_bias_is_found_in_every_bin(bias):
    probability, label = classifier(20000, bias, rng())
    found = reliability(probability, label)
    assert found.count.sum() == 20000
    error = np.sqrt(found.accuracy * (1 - found.accuracy) / found.count)
    # Six bins at 4.5 standard errors: a false alarm in 20,000.
    assert np.all(np.abs(found.confidence - found.accuracy - bias) < 4.5 * np.maximum(error, 1e-3))
    ece = expected_calibration_error(probability, label, rng=rng(), replicates=50)
    assert 0.001 < ece.standard_error < 0.006
    # Chance adds up to about 0.8 standard errors per bin, 0.006 here, when the bias is zero.
    assert ece.value == pytest.approx(bias, abs=4.5 * ece.standard_error + (0.006 if bias == 0 else 0.0))


def test_bins_start_at_one_over_k_and_one_class_has_one_bin():
    probability = np.array([[1 / 3, 1 / 3, 1 / 3], [1.0, 0.0, 0.0]])
    np.testing.assert_array_equal(reliability(probability, np.array([0, 0])).count, [1, 1])
    single = reliability(np.ones((5, 1)), np.zeros(5, int))
    assert (single.confidence, single.accuracy, single.count) == ([1.0], [1.0], [5])
    assert expected_calibration_error(np.ones((5, 1)), np.zeros(5, int), rng=rng(), replicates=3) == (0.0, 0.0)


@pytest.mark.parametrize(
    "function",
    [accuracy, reliability, lambda p, y: expected_calibration_error(p, y, rng=rng(), replicates=2)],
)
@pytest.mark.parametrize("probability, label", [((5,), (5,)), ((5, 2), (4,)), ((5, 2), (5, 1))])
def test_bad_shapes_are_refused(function, probability, label):
    with pytest.raises(DataError, match="expected .*; got "):
        function(np.ones(probability), np.zeros(label, int))


def test_label_nll_and_the_temperature_that_mends_it():
    rng = np.random.default_rng(2)
    logit = rng.standard_normal((4000, 3)) * 2.0
    label = np.array([rng.choice(3, p=row) for row in np.exp(logit) / np.exp(logit).sum(axis=1, keepdims=True)])
    # Over-confident by a factor of five; T is known to some 4 % from 4,000 labels.
    assert fit_temperature(5.0 * logit, label) == pytest.approx(5.0, rel=0.15)
    assert label_nll(5.0 * logit, label).value > label_nll(logit, label).value
    uniform = label_nll(np.zeros((10, 4)), np.zeros(10, int))
    assert uniform.value == pytest.approx(np.log(4)) and uniform.standard_error == 0.0
