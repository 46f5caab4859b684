"""Calibration of conjugate Gaussian posteriors, exact and with a wrong width."""

import numpy as np
import pytest
from scipy import stats

from flowpkg.diagnostics import posterior as check
from flowpkg.errors import DataError

M, DRAWS, P = 1000, 199, 3


def rng():
    return np.random.default_rng(0)


def gaussian(scale, source=None, m=M, draws=DRAWS, parameters=P):
    """Return truth and samples of theta ~ N(0, 1), y ~ N(theta, 1); the posterior N(y/2, 1/2) widened by `scale`."""
    source = source or rng()
    truth = source.standard_normal((m, parameters))
    mean = (truth + source.standard_normal((m, parameters))) / 2
    samples = mean[:, None] + scale * np.sqrt(0.5) * source.standard_normal((m, draws, parameters))
    return truth, samples


def inlier(scale, level):
    """Return the coverage of the central interval of a Gaussian posterior `scale` times too wide."""
    return 2 * stats.norm.cdf(scale * stats.norm.ppf((1 + level) / 2)) - 1


def test_ranks_of_a_hand_made_case():
    samples = np.array([[[0.0], [1.0], [2.0]]] * 3)
    np.testing.assert_array_equal(check.sbc_ranks(np.array([[-1.0], [1.5], [3.0]]), samples), [[0], [2], [3]])


def test_exact_ranks_are_uniform():
    ranks = check.sbc_ranks(*gaussian(1.0))
    assert ranks.shape == (M, P) and ranks.min() >= 0 and ranks.max() <= DRAWS
    # Three tests at 1e-4: a false alarm in 3,000.
    assert np.all(check.sbc_ks_p(ranks, DRAWS) > 1e-4)


@pytest.mark.parametrize("scale, ends_over_middle", [(0.5, (2, 99)), (2.0, (0, 0.5))])
def test_wrong_widths_bend_the_rank_histogram(scale, ends_over_middle):
    ranks = check.sbc_ranks(*gaussian(scale))
    assert np.all(check.sbc_ks_p(ranks, DRAWS) < 1e-6)
    count = np.histogram(ranks, bins=10, range=(0, DRAWS + 1))[0]
    low, high = ends_over_middle
    assert low < (count[0] + count[-1]) / (count[4] + count[5]) < high


def test_ks_p_is_uniform_for_calibrated_ranks():
    p = check.sbc_ks_p(rng().integers(0, DRAWS + 1, (500, 400)), DRAWS)
    assert p.shape == (400,)
    # Binomial(400, 0.1): 4.5 standard errors, a false alarm in 150,000.
    assert abs(np.mean(p < 0.1) - 0.1) < 4.5 * np.sqrt(0.09 / 400)


def test_rank_histogram_band_holds_its_share():
    low, high = check.rank_histogram_band(M, 20)
    count = rng().binomial(M, 1 / 20, 20000)
    share = np.mean((count >= low) & (count <= high))
    # A binomial band covers at least 0.95 and, 5 to 6 counts of mass 0.06 apart, not much more; 4.5 standard errors.
    assert 0.95 - 0.007 < share < 0.975


def test_ecdf_difference_of_a_hand_made_case():
    found = check.ecdf_difference(np.array([0, 0, 3]), 3, np.array([0.1, 0.5, 1.0]))
    np.testing.assert_allclose(found, [-0.1, 2 / 3 - 0.5, 0.0], atol=1e-12)


@pytest.mark.parametrize("m", [50, 500])
def test_ecdf_band_holds_everywhere_at_once_with_its_level(m):
    grid = np.linspace(0.0, 1.0, 51)
    source = rng()
    low, high = check.ecdf_simultaneous_band(m, grid, source, replicates=2000)
    assert np.all(np.isfinite(low) & np.isfinite(high)) and np.all(low <= high)
    draws = np.sort(source.random((2000, m)), axis=1)
    difference = np.array([np.searchsorted(row, grid, side="right") for row in draws]) / m - grid
    share = np.mean(np.all((difference >= low - 1e-12) & (difference <= high + 1e-12), axis=1))
    # 4.5 standard errors of both simulations, 0.031 (a false alarm in 150,000); counts are discrete, so above may be more.
    assert 0.95 - 0.031 < share < 0.995


def test_ecdf_band_tells_wrong_widths_from_exact():
    grid = np.linspace(0.01, 0.99, 50)
    low, high = check.ecdf_simultaneous_band(M, grid, rng(), level=0.999)

    def inside(scale):
        found = check.ecdf_difference(check.sbc_ranks(*gaussian(scale))[:, 0], DRAWS, grid)
        return bool(np.all((found >= low) & (found <= high)))

    # Level 0.999: a false alarm in about 1,000.
    assert inside(1.0) and not inside(0.5) and not inside(2.0)


@pytest.mark.parametrize("scale", [0.5, 1.0, 2.0])
def test_coverage_has_its_analytic_value(scale):
    levels = np.array([0.25, 0.5, 0.68, 0.9])
    found = check.coverage(check.sbc_ranks(*gaussian(scale)), DRAWS, levels)
    assert found.shape == (P, 4)
    expected = inlier(scale, levels)
    # 12 numbers at 4.5 standard errors: a false alarm in 12,000; 0.01 for the finite number of samples.
    assert np.all(np.abs(found - expected) < 4.5 * np.sqrt(expected * (1 - expected) / M) + 0.01)
    if scale != 1.0:
        assert np.all((found > levels) == (scale > 1))


def test_coverage_counts_a_truth_on_the_edge():
    # Four ranks of three samples: depths 3/4, 1/4, 1/4, 3/4.
    found = check.coverage(np.arange(4)[:, None], 3, np.array([0.2, 0.25, 0.74, 0.75, 1.0]))
    np.testing.assert_array_equal(found, [[0, 0.5, 0.5, 1, 1]])


def test_coverage_band_holds_its_share_at_each_level():
    levels = np.array([0.1, 0.5, 0.9])
    low, high = check.coverage_band(200, levels)
    share = rng().binomial(200, levels, (20000, 3)) / 200
    inside = np.mean((share >= low - 1e-12) & (share <= high + 1e-12), axis=0)
    assert np.all((inside > 0.95 - 0.007) & (inside < 0.975))


@pytest.mark.parametrize("scale", [0.5, 2.0])
def test_calibration_error_of_a_wrong_width_has_its_analytic_value(scale):
    levels = np.linspace(0.005, 0.995, 100)
    expected = np.median(np.abs(inlier(scale, levels) - levels))
    ranks = check.sbc_ranks(*gaussian(scale))
    found = check.calibration_error(ranks, DRAWS, rng=rng(), replicates=50)
    # 4.5 standard errors and 0.005 for the finite number of samples.
    assert found.value == pytest.approx(expected, abs=4.5 * found.standard_error + 0.005)
    assert 0.002 < found.standard_error < 0.015
    at = check.calibration_error_at(ranks, DRAWS, 0.68)
    assert at.value == pytest.approx(abs(inlier(scale, 0.68) - 0.68), abs=4.5 * at.standard_error + 0.005)
    assert at.standard_error == pytest.approx(np.sqrt(0.68 * 0.32 / M))


def test_calibration_error_of_an_exact_posterior_is_what_chance_gives():
    null = check.calibration_error_null(M, P, DRAWS, rng(), replicates=200)
    assert null.shape == (200,) and null.min() > 0
    found = check.calibration_error(check.sbc_ranks(*gaussian(1.0)), DRAWS, rng=rng(), replicates=5)
    # Mean and 4.5 standard deviations of the null.
    assert abs(found.value - null.mean()) < 4.5 * null.std()
    # Chance falls with the root of the number of observations.
    more = check.calibration_error_null(4 * M, P, DRAWS, rng(), replicates=200)
    assert null.mean() / more.mean() == pytest.approx(2.0, abs=0.35)


def test_calibration_error_takes_its_own_levels():
    ranks = np.arange(4)[:, None]
    found = check.calibration_error(ranks, 3, rng=rng(), levels=np.array([0.5]), replicates=3)
    assert found.value == 0.0


@pytest.mark.parametrize("scale", [0.5, 1.0, 2.0])
def test_tarp_tells_exact_from_wrong_widths(scale):
    truth, samples = gaussian(scale)
    alpha, covered = check.tarp(truth, samples, rng())
    assert alpha.shape == covered.shape == (101,) and covered[-1] == 1.0 and np.all(np.diff(covered) >= 0)
    p = check.tarp_p(truth, samples, rng())
    if scale == 1.0:
        # A false alarm in 10,000.
        assert p > 1e-4 and np.abs(covered - alpha).max() < 0.07
    else:
        # Too narrow: truths too often among the nearest or the farthest; too wide: too seldom.
        assert p < 1e-6 and (covered[10] > 0.13 and covered[90] < 0.87) == (scale < 1)


def test_tarp_does_not_depend_on_units():
    truth, samples = gaussian(1.0)
    scale = np.array([1e-3, 1.0, 1e4])
    found, scaled = (check.tarp(truth * s, samples * s, rng())[1] for s in (1.0, scale))
    np.testing.assert_allclose(found, scaled, atol=2 / M)


@pytest.mark.parametrize("scale", [0.5, 1.0])
def test_contraction_has_its_analytic_value(scale):
    found = check.contraction(gaussian(scale)[1], np.ones(P))
    assert found.value.shape == found.standard_error.shape == (P,)
    # 4.5 standard errors: a false alarm in 50,000.
    assert np.all(np.abs(found.value - (1 - 0.5 * scale**2)) < 4.5 * found.standard_error)
    # The variance of a sample variance: 2 v^2 / (L - 1).
    assert found.standard_error == pytest.approx(0.5 * scale**2 * np.sqrt(2 / (DRAWS - 1) / M) * np.ones(P), rel=0.2)


def test_recovery_has_its_analytic_value_and_interval():
    found = check.recovery(*gaussian(1.0))
    # cov = 1/2, var of the mean = 1/2 + 1/(2 L).
    expected = 0.5 / np.sqrt(0.5 + 0.5 / DRAWS)
    assert np.all(np.abs(found.value - expected) < 4.5 * (1 - expected**2) / np.sqrt(M))
    assert np.all((found.low < found.value) & (found.value < found.high))
    source = rng()
    covers = []
    for _ in range(200):
        each = check.recovery(*gaussian(1.0, source, m=50, draws=20, parameters=5))
        truth = 0.5 / np.sqrt(0.5 + 0.5 / 20)
        covers.append((each.low < truth) & (truth < each.high))
    # 1,000 intervals: 4.5 standard errors.
    assert abs(np.mean(covers) - 0.95) < 0.031


@pytest.mark.parametrize("function", [check.sbc_ranks, check.recovery, lambda t, s: check.tarp(t, s, rng())])
@pytest.mark.parametrize(
    "truth, samples", [((5,), (5, 4, 2)), ((5, 2), (5, 4, 3)), ((4, 2), (5, 4, 2)), ((5, 2), (5, 2))]
)
def test_bad_shapes_are_refused(function, truth, samples):
    with pytest.raises(DataError, match="expected .*; got "):
        function(np.zeros(truth), np.zeros(samples))


@pytest.mark.parametrize(
    "call",
    [
        lambda: check.sbc_ks_p(np.zeros(5), 9),
        lambda: check.coverage(np.zeros(5), 9, np.array([0.5])),
        lambda: check.ecdf_difference(np.zeros((5, 2)), 9, np.array([0.5])),
        lambda: check.calibration_error(np.zeros(5), 9, rng=rng()),
        lambda: check.contraction(np.zeros((5, 4, 2)), np.ones(3)),
        lambda: check.tarp(np.zeros((5, 2)), np.zeros((5, 4, 2)), rng()),
        lambda: check.tarp(np.eye(2), np.zeros((2, 4, 2)), rng(), references=np.zeros((3, 2))),
    ],
)
def test_other_bad_input_is_refused(call):
    with pytest.raises(DataError, match="expected .*; got "):
        call()


def test_tarp_takes_its_own_references():
    truth, samples = gaussian(1.0)
    first, second = (check.tarp(truth, samples, rng(), references=np.full((M, P), 3.0))[1] for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert np.abs(first - np.linspace(0, 1, 101)).max() < 0.07
