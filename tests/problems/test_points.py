"""Densities in the plane against integrals, formulas and their own samples."""

import math

import numpy as np
import pytest

from flowpkg.errors import SettingsError
from flowpkg.problems import load_problem

# Densities in the plane only: problems of observations, labels, tables and images have tests of their own.
POINTS = ["moons", "gmm", "normal", "banana", "checkerboard", "two_spirals", "pinwheel"]
SMOOTH = [name for name in POINTS if name != "checkerboard"]


@pytest.mark.parametrize("name", SMOOTH)
def test_density_integrates_to_one(name):
    problem = load_problem({"name": name, **({"scale": 1.0} if name == "banana" else {})})
    points, area = problem.grid()
    assert np.exp(problem.log_prob(points)).sum() * area == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("name", POINTS)
def test_entropy_is_the_mean_of_minus_log_prob(name):
    # |error| < 4.5 standard errors: a false alarm in 150,000 for each problem. Checkerboard has no spread at all.
    problem = load_problem({"name": name})
    surprise = -problem.log_prob(problem.sample(100_000, np.random.default_rng(0)))
    standard_error = surprise.std() / math.sqrt(len(surprise))
    assert abs(surprise.mean() - problem.entropy_nats()) < 4.5 * standard_error + 1e-12


@pytest.mark.parametrize("name", POINTS)
def test_samples_repeat_for_a_seed_and_lie_in_bounds(name):
    problem = load_problem({"name": name})
    first, again = (problem.sample(5000, np.random.default_rng(7)) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    for column, (low, high) in zip(first.T, problem.bounds()):
        assert low <= column.min() and column.max() <= high


@pytest.mark.parametrize("name", SMOOTH)
def test_box_probabilities_match_counts(name):
    # A chi-square test over 36 boxes at level 1e-5 ties sampler and density together.
    from scipy.stats import chisquare

    problem = load_problem({"name": name, **({"scale": 1.0} if name == "banana" else {})})
    points, area = problem.grid()
    mass = np.exp(problem.log_prob(points)) * area
    sample = problem.sample(20_000, np.random.default_rng(3))
    edges = [np.unique(points[:, axis]) for axis in (0, 1)]
    # Box edges half way between grid points, so that each grid point's cell lies in one box.
    cuts = [0.5 * (edge[1:] + edge[:-1])[:: max(1, len(edge) // 6)][1:] for edge in edges]

    def box(x):
        return np.searchsorted(cuts[0], x[:, 0]) * (len(cuts[1]) + 1) + np.searchsorted(cuts[1], x[:, 1])

    count = (len(cuts[0]) + 1) * (len(cuts[1]) + 1)
    expected = np.bincount(box(points), mass, minlength=count) * len(sample)
    observed = np.bincount(box(sample), minlength=count)
    use = expected > 5
    pooled = [np.append(values[use], values[~use].sum()) for values in (observed, expected)]
    if pooled[1][-1] < 5:
        pooled = [np.append(values[:-2], values[-2:].sum()) for values in pooled]
    pooled[1] *= pooled[0].sum() / pooled[1].sum()
    assert chisquare(*pooled).pvalue > 1e-5


def test_known_entropies():
    assert load_problem({"name": "gmm"}).entropy_nats() == pytest.approx(
        math.log(8) + math.log(2 * math.pi * math.e * 0.01), abs=1e-4
    )
    assert load_problem({"name": "checkerboard"}).entropy_nats() == pytest.approx(math.log(32))
    assert load_problem({"name": "normal", "correlation": 0.0}).entropy_nats() == pytest.approx(
        math.log(2 * math.pi * math.e * 0.5)
    )


def test_normal_against_scipy():
    from scipy.stats import multivariate_normal

    problem = load_problem({"name": "normal", "mean": [1.0, -2.0], "deviations": [2.0, 0.5], "correlation": -0.6})
    covariance = [[4.0, -0.6], [-0.6, 0.25]]
    points = problem.sample(100, np.random.default_rng(0))
    np.testing.assert_allclose(
        problem.log_prob(points), multivariate_normal([1.0, -2.0], covariance).logpdf(points), rtol=1e-10
    )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"name": "moons", "noise": -1}, "problem.noise: expected a number > 0; got -1"),
        ({"name": "gmm", "modes": 0}, "problem.modes: expected an integer >= 1; got 0"),
        ({"name": "normal", "correlation": 1.5}, "problem.correlation: expected a number between -1 and 1; got 1.5"),
        ({"name": "banana", "noise": 0}, "problem.noise"),
        ({"name": "checkerboard", "cells": 1}, "problem.cells"),
        ({"name": "two_spirals", "turns": 0}, "problem.turns"),
        ({"name": "pinwheel", "arms": 0}, "problem.arms"),
        ({"name": "mons"}, "problem.name: expected one of moons"),
    ],
    ids=lambda value: value["name"] if isinstance(value, dict) else "",
)
def test_bad_settings(settings, message):
    with pytest.raises(SettingsError, match=message):
        load_problem(settings)
