"""MMD on cases with a known answer."""

import numpy as np
import pytest
from scipy.integrate import quad

from flowpkg.diagnostics.kernels import mmd, mmd_permutation_null
from flowpkg.errors import DataError

WIDTHS = (0.05, 0.2, 0.9)


def rng():
    return np.random.default_rng(0)


def brute_force(a, b):
    def kernel(x, y):
        square = ((x[:, None] - y[None]) ** 2).sum(axis=-1)
        return sum(h**2 / (h**2 + square) for h in WIDTHS)

    def within(x):
        return (kernel(x, x).sum() - len(WIDTHS) * len(x)) / (len(x) * (len(x) - 1))

    return within(a) + within(b) - 2 * kernel(a, b).mean()


def expected_kernel(shift):
    """Return E k(a, b) for a ~ N(0, 1), b ~ N(shift, 1), as h^2/(h^2+r^2) = int exp(-t (1 + r^2/h^2)) dt."""

    def of_width(h):
        def integrand(t):
            spread = 1 + 4 * t / h**2
            return np.exp(-t - t * shift**2 / (h**2 * spread)) / np.sqrt(spread)

        return quad(integrand, 0, 1)[0] + quad(integrand, 1, np.inf)[0]

    return sum(of_width(h) for h in WIDTHS)


@pytest.mark.parametrize("n, m, dim", [(50, 70, 1), (120, 60, 4)])
def test_mmd_agrees_with_float64_pairs(n, m, dim):
    a, b = rng().standard_normal((n, dim)), rng().standard_normal((m, dim)) + 0.3
    assert mmd(a, b) == pytest.approx(brute_force(a, b), abs=2e-6)


def test_mmd_of_point_masses_has_a_closed_form():
    expected = 2 * sum(1 - h**2 / (h**2 + 4.0) for h in WIDTHS)
    assert mmd(np.zeros((3, 2)), np.tile([2.0, 0.0], (5, 1))) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("shift", [0.0, 0.5])
def test_mmd_is_unbiased_about_the_population_value(shift):
    source = rng()
    values = [mmd(source.standard_normal((100, 1)), source.standard_normal((100, 1)) + shift) for _ in range(400)]
    expected = 2 * expected_kernel(0.0) - 2 * expected_kernel(shift)
    # 4.5 standard errors: a false alarm in 150,000.
    assert abs(np.mean(values) - expected) < 4.5 * np.std(values) / 20


def test_permutation_null_keeps_its_level_and_sees_a_shift():
    source, p = rng(), []
    for _ in range(60):
        a, b = source.standard_normal((2, 60, 2))
        p.append(np.mean(mmd_permutation_null(a, b, source, replicates=39) >= mmd(a, b)))
    # P(p < 0.05) is at most 0.05; more than 12 of 60 would be a false alarm in 100,000.
    assert np.sum(np.array(p) < 0.05) <= 12
    null = mmd_permutation_null(a, b + 1.0, source, replicates=100)
    assert null.shape == (100,) and mmd(a, b + 1.0) > null.max()
    assert abs(null.mean()) < 4.5 * null.std() / 10


@pytest.mark.parametrize("offset", [0.0, 1000.0])
def test_mmd_does_not_depend_on_the_origin(offset):
    a, b = rng().standard_normal((2, 100, 3))
    assert mmd(a + offset, b + 0.5 + offset) == pytest.approx(mmd(a, b + 0.5), abs=1e-5)


def test_permutation_null_does_not_depend_on_the_origin():
    a, b = rng().standard_normal((2, 100, 3))
    far = mmd_permutation_null(a + 1000.0, b + 1000.0, rng(), replicates=20)
    np.testing.assert_allclose(far, mmd_permutation_null(a, b, rng(), replicates=20), atol=1e-5)


@pytest.mark.parametrize("function", [mmd, lambda a, b: mmd_permutation_null(a, b, rng(), replicates=2)])
@pytest.mark.parametrize("first, second", [((5, 2), (5, 3)), ((5,), (5,)), ((1, 2), (5, 2))])
def test_bad_shapes_are_refused(function, first, second):
    with pytest.raises(DataError, match="expected .*; got "):
        function(np.zeros(first), np.zeros(second))
