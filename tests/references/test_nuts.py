"""The reference posteriors: simulators with gradients, NUTS against a closed form, convergence."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from flowpkg.errors import ConvergenceError, SettingsError
from flowpkg.problems import load_problem
from flowpkg.references.convergence import measure, require_convergence
from flowpkg.references.laplace import jacobian, log_joint, optimise, white_residual
from flowpkg.references.nuts import nuts_posterior
from flowpkg.references.simulators import BUILDERS, build_log_joint

SETTINGS = {
    "linear_gaussian": {"unknowns": 5, "data": 7},
    "glacier": {"points": 7, "stations": 4},
    "seismograms": {"layers": 6, "receivers": [1, 3], "samples": 12},
    "seismograms coloured": {"layers": 5, "receivers": [2], "samples": 12, "noise_correlation_s": 0.02},
}


def make(name):
    return load_problem({"name": name.split()[0], **SETTINGS[name]})


@pytest.mark.parametrize("name", SETTINGS)
def test_simulators_agree_and_have_gradients(name):
    problem = make(name)
    rng = np.random.default_rng(0)
    u = rng.standard_normal((2, 3, problem.dim))
    x = problem.from_normal(u) if hasattr(problem, "from_normal") else u
    found = BUILDERS[type(problem)](problem)(tf.constant(u)).numpy()
    np.testing.assert_allclose(found, problem.simulate(x), rtol=1e-9, atol=1e-9)
    y = problem.simulate(x[0]) + problem.noise * rng.standard_normal(found[0].shape)
    joint = build_log_joint(problem, y)
    with tf.GradientTape() as tape:
        point = tf.constant(u[1])
        tape.watch(point)
        value = joint(point)
    np.testing.assert_allclose(value, log_joint(problem, u[1], y), rtol=1e-9)
    residual, slope = white_residual(problem, u[1], y), jacobian(problem, u[1], y)
    expected = -u[1] - np.einsum("smp,sm->sp", slope, residual)
    np.testing.assert_allclose(tape.gradient(value, point), expected, rtol=1e-5, atol=1e-3)


def test_the_optimum_of_a_linear_problem_is_its_posterior_mean():
    problem = make("linear_gaussian")
    y = problem.sample(4, np.random.default_rng(2))["y"]
    found = optimise(problem, np.zeros((4, 5)), y)
    mean, covariance = problem.exact_posterior(y)
    np.testing.assert_allclose(found.u, mean, atol=1e-6)
    np.testing.assert_allclose(np.linalg.inv(found.precision), np.broadcast_to(covariance, (4, 5, 5)), atol=1e-8)


def test_nuts_draws_from_the_exact_posterior():
    problem = make("linear_gaussian")
    y = problem.sample(2, np.random.default_rng(3))["y"]
    samples, report = nuts_posterior(problem, y, 1000, 5, draws=500)
    again, _ = nuts_posterior(problem, y, 1000, 5, draws=500)
    np.testing.assert_array_equal(samples, again)
    assert samples.shape == (2, 1000, 5) and max(report["rhat_max"]) <= 1.01 and sum(report["divergences"]) == 0
    mean, covariance = problem.exact_posterior(y)
    white = (samples - mean[:, None]) @ np.linalg.inv(np.linalg.cholesky(covariance)).T
    # 10 tests at 0.1 %, every fourth draw of chains that mix in one step: a false alarm in 100 changes of the code.
    for column in np.moveaxis(white, 1, 0).reshape(1000, -1).T:
        assert stats.kstest(column, "norm").pvalue > 1e-3
    # Standard error of a correlation of 1,000 draws: 0.032; 20 of them, 4.5 of it.
    for rows in white:
        assert np.abs(np.corrcoef(rows.T) - np.eye(5)).max() < 0.145


def test_a_hard_posterior_gets_a_second_run():
    problem = load_problem({"name": "glacier", "points": 6, "stations": 3, "data_error_mgal": 0.3})
    parts = problem.sample(1, np.random.default_rng(1))
    samples, report = nuts_posterior(problem, parts["y"], 400, 1, draws=500, max_tree_depth=1)
    assert report["runs"] == 2 and report["draws"] == 1000 and report["rhat_max"][0] <= 1.01
    misfit = (problem.simulate(samples[0]) - parts["y"][0]) / 0.3
    assert 0.7 < misfit.std() < 1.3 and (samples > 0).all()


def test_chains_that_disagree_are_an_error():
    rng = np.random.default_rng(0)
    good = rng.standard_normal((4, 300, 2, 3))
    require_convergence(measure(good))
    good[:2, :, 1, 2] += 3.0
    with pytest.raises(ConvergenceError, match=r"observation 2: expected R-hat <= 1.01 and .*; got [12]\.\d+ and"):
        require_convergence(measure(good))
    with pytest.raises(ConvergenceError, match="observation 1: .* >= 400; got .* and [0-9]+$"):
        require_convergence(measure(good[:, :60]))


def test_problems_without_gradients_are_refused():
    with pytest.raises(SettingsError, match="expected one of the problems LinearGaussian, .*; got Arm"):
        build_log_joint(load_problem({"name": "arm"}), np.zeros((1, 2)))
    exact = load_problem({"name": "linear_gaussian", "unknowns": 5, "data": 2, "noise": 0.0})
    with pytest.raises(SettingsError, match="expected a data error > 0; got 0"):
        build_log_joint(exact, np.zeros((1, 2)))
