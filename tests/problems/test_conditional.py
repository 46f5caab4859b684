"""Problems with a y: densities, simulators, reference posteriors."""

import numpy as np
import pytest
from scipy import stats

from flowpkg.errors import DataError, SettingsError
from flowpkg.problems import load_problem


def rng():
    return np.random.default_rng(7)


@pytest.mark.parametrize(("labelling", "classes"), [("all", 8), ("some", 4), ("none", 1)])
def test_modes_are_normalised_and_sampled_by_label(labelling, classes):
    problem = load_problem({"name": "modes", "labelling": labelling})
    assert problem.classes == classes and problem.priors.sum() == pytest.approx(1.0)
    axis = np.linspace(-4, 4, 321)
    grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    mass = np.exp(problem.label_log_prob(grid)).sum(axis=0) * (axis[1] - axis[0]) ** 2
    np.testing.assert_allclose(mass, 1.0, atol=1e-6)
    parts = problem.sample(40_000, rng())
    shares = parts["y"].mean(axis=0)
    # Standard error at most 0.0025; 4.5 of them.
    np.testing.assert_allclose(shares, problem.priors, atol=0.0113)
    assert parts["e"].shape == (40_000, classes)
    mode, distance = problem.nearest_mode(parts["x"])
    assert (problem.mode_label[mode] == parts["y"].argmax(axis=1)).all()
    # Exact share beyond 4 sd of the nearest of well-separated modes: exp(-8) = 3.4e-4.
    assert (distance > 4).mean() < 9e-4
    drawn = problem.sample_label(0, 500, rng())
    assert set(problem.mode_label[problem.nearest_mode(drawn)[0]]) == {0}


def test_the_arm_is_geometry():
    arm = load_problem({"name": "arm"})
    np.testing.assert_allclose(arm.simulate(np.zeros((1, 4))), [[2.0, 0.0]])
    np.testing.assert_allclose(arm.simulate(np.array([[0.3, np.pi / 2, -np.pi / 2, np.pi / 2]])), [[0.5, 1.8]])


def test_rejection_samples_are_plain_rejection_samples():
    arm = load_problem({"name": "arm"})
    y, width = np.array([[1.6, 0.2]]), 0.05
    x = arm.sample(1_500_000, rng())["x"]
    square = ((arm.simulate(x) - y) ** 2).sum(axis=1)
    plain = x[np.log(rng().random(len(x))) < -0.5 * square / width**2]
    found = arm.reference_posterior(y, 2000, rng(), width=width)[0]
    # Four tests at 0.1 %: a false alarm once in 250 changes of the code.
    for a, b in zip(plain[:4000].T, found.T, strict=True):
        assert stats.ks_2samp(a, b).pvalue > 1e-3


def test_rare_observations_are_reached_and_calibrated():
    arm = load_problem({"name": "arm"})
    x = arm.deviations * 2.6 * np.array([[1.0, -1.0, 1.0, 1.0], [-1.0, 1.0, -1.0, 1.0], [0.5, 1.0, 1.0, -1.0]])
    y = arm.simulate(x)
    samples = arm.reference_posterior(y, 200, rng(), pool=300_000)
    assert np.abs(arm.simulate(samples) - y[:, None]).max() < 0.06
    with pytest.raises(DataError, match="points that the arm can reach; got"):
        arm.reference_posterior(np.array([[5.0, 0.0]]), 5, rng(), pool=1000)


def test_the_exact_posterior_is_that_of_the_joint_normal():
    problem = load_problem({"name": "linear_gaussian", "unknowns": 5, "data": 7, "noise": 0.2})
    joint = np.block(
        [[np.eye(5), problem.operator.T], [problem.operator, problem.operator @ problem.operator.T + 0.04 * np.eye(7)]]
    )
    y = problem.sample(3, rng())["y"]
    gain = joint[:5, 5:] @ np.linalg.inv(joint[5:, 5:])
    mean, covariance = problem.exact_posterior(y)
    np.testing.assert_allclose(mean, y @ gain.T, atol=1e-10)
    np.testing.assert_allclose(covariance, joint[:5, :5] - gain @ joint[5:, :5], atol=1e-10)
    samples = problem.reference_posterior(y, 50_000, rng())
    np.testing.assert_allclose(samples.mean(axis=1), mean, atol=0.03)
    np.testing.assert_allclose(np.cov(samples[0].T), covariance, atol=0.04)


def test_without_noise_samples_fit_the_data():
    problem = load_problem({"name": "linear_gaussian", "unknowns": 8, "data": 3, "noise": 0.0})
    parts = problem.sample(4, rng())
    assert set(parts) == {"x", "y"}
    samples = problem.reference_posterior(parts["y"], 100, rng())
    np.testing.assert_allclose(problem.simulate(samples), np.repeat(parts["y"][:, None], 100, 1), atol=1e-6)
    with pytest.raises(SettingsError, match="problem.data: expected less than 8 unknowns"):
        load_problem({"name": "linear_gaussian", "unknowns": 8, "data": 8, "noise": 0.0})
