"""The smooth log-normal prior that the geophysical problems share."""

import numpy as np
import pytest
from scipy import stats

from flowpkg.errors import SettingsError
from flowpkg.problems import load_problem
from flowpkg.settings import resolve

FIELDS = ("glacier", "seismograms")


@pytest.mark.parametrize("name", FIELDS)
def test_prior_transform_and_density(name):
    problem = load_problem({"name": name})
    u = np.random.default_rng(1).standard_normal((2, 3, problem.dim))
    x = problem.from_normal(u)
    assert x.shape == u.shape and (x > 0).all()
    np.testing.assert_allclose(problem.to_normal(x), u, atol=1e-9)
    expected = stats.multivariate_normal(np.log(problem.trend), problem.log_covariance).logpdf(np.log(x))
    np.testing.assert_allclose(problem.log_prior(x), expected - np.log(x).sum(axis=-1), rtol=1e-9)
    many = problem.from_normal(np.random.default_rng(2).standard_normal((200_000, problem.dim)))
    # The variance of a log-normal of log-variance 0.15 has a relative standard error of about 1 % here.
    np.testing.assert_allclose(many.var(axis=0) / problem.prior_variance, 1.0, atol=0.06)


@pytest.mark.parametrize("name", FIELDS)
def test_samples_reference_rows_and_schema(name):
    settings = resolve({"application": "parameter_estimation", "problem": {"name": name}})["problem"]
    problem, default = load_problem(settings), load_problem({"name": name})
    parts = problem.sample(301, np.random.default_rng(5))
    again = default.sample(301, np.random.default_rng(5))
    for key in parts:
        np.testing.assert_array_equal(parts[key], again[key])
    assert parts["x"].shape == (301, len(problem.names)) and parts["y"].shape == (301, len(problem.y_names))
    rows = problem.reference_rows(parts["x"], parts["y"])
    distance = (problem.to_normal(parts["x"]) ** 2).sum(axis=1)
    assert [(distance < distance[row]).sum() for row in rows] == [150, 3, 297]
    if problem.noise_free:
        assert set(parts) == {"x", "y"}
    else:
        np.testing.assert_allclose(problem.recovered_noise(parts["x"], parts["y"]), parts["e"], atol=1e-9)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"name": "glacier", "stations": 24}, "problem.stations: expected 1 to 23, less than the points; got 24"),
        ({"name": "glacier", "density_contrast": 0.0}, "problem.density_contrast: expected a number that is not 0"),
        ({"name": "glacier", "correlation_m": 0.0}, "problem.correlation_m: expected a number > 0; got 0"),
        ({"name": "seismograms", "receivers": [3, 16]}, "problem.receivers: expected rising numbers of layers from 1"),
        ({"name": "seismograms", "receivers": [5, 2]}, r"rising numbers of layers from 1 to 15; got \[5, 2\]"),
        ({"name": "seismograms", "interval_s": 0.02}, "problem.interval_s: expected at most 0.01333 s"),
    ],
)
def test_settings_out_of_range(settings, message):
    with pytest.raises(SettingsError, match=message):
        load_problem(settings)
