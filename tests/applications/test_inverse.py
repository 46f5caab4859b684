"""The inverse problems: metrics against what they must be, and every figure from a tiny evaluation."""

import json

import numpy as np
import pytest

from flowpkg.applications import inverse_checks, inverse_noisy
from flowpkg.applications.posterior_checks import LEVELS, coverage_null
from flowpkg.commands.draw import draw
from flowpkg.commands.evaluate import evaluate
from flowpkg.commands.prepare import prepare
from flowpkg.commands.train import train
from flowpkg.errors import DataError, SettingsError
from flowpkg.files import read_arrays, sha256_of, write_arrays, write_json
from flowpkg.problems import load_problem
from flowpkg.settings import resolve

SETTINGS = {"seed": 1, "evaluation": {}}


class Normal:
    """A posterior that is standard normal around a number of each observation, whatever the flow."""

    def __init__(self, shift=0.0, width=1.0):
        self.shift, self.width = shift, width

    def posterior(self, y, n, *, seed=(0, 0)):
        drawn = np.random.default_rng(list(seed)).standard_normal((len(y), n, 4))
        return (500.0 + np.asarray(y)[:, :1, None] + self.shift + self.width * drawn).astype(np.float32)


def reference(draws=400):
    y = np.arange(6.0).reshape(3, 2)
    samples = 500.0 + y[:, :1, None] + np.random.default_rng(5).standard_normal((3, draws, 4))
    report = {
        "ess_bulk_min": [900.0, 800.0, 1000.0],
        "ess_tail_min": [700.0, 850.0, 990.0],
        "rhat_max": [1.001, 1.002, 1.003],
        "seconds": 2.0,
        "seconds_per_effective_sample": 0.01,
    }
    return {"x": samples[:, 0], "y": y, "samples": samples, "report": report, "train_seconds": 50.0}


@pytest.fixture
def glacier():
    return load_problem({"name": "glacier", "points": 4, "stations": 2})


def test_a_right_posterior_is_not_told_from_the_reference_and_speeds_are_ratios(glacier):
    metrics, arrays = inverse_checks.against_reference(Normal(), glacier, reference(), 2000.0, SETTINGS)
    # 3 tests of 800 rows: mean C2ST within 0.5 +- 4 x 0.0102; mean errors are sqrt(4 / (pi n)) = 0.056 on average.
    assert metrics["posterior_c2st"] == pytest.approx(0.5, abs=0.042)
    assert metrics["mean_error_sd"] < 0.11 and metrics["spread_ratio"] == pytest.approx(1.0, abs=0.07)
    assert metrics["mean_error_sd_reference"] == pytest.approx(np.sqrt(4 / np.pi / 1500), rel=0.8)
    assert metrics["speedup_vs_mcmc"] == pytest.approx(0.01 * 2000)
    assert metrics["speedup_vs_mcmc_with_training"] == pytest.approx(1000 / (50 + 50))
    assert metrics["reference_ess_min"] == 700
    assert arrays["reference_flow"].shape == (3, 400, 4) and str(arrays["reference_name"]) == "NUTS"


def test_a_shifted_and_wide_posterior_is_found_out(glacier):
    shifted, _ = inverse_checks.against_reference(Normal(shift=0.5, width=1.3), glacier, reference(), 1.0, SETTINGS)
    assert shifted["mean_error_sd"] == pytest.approx(0.5, abs=0.1) and shifted["posterior_c2st"] > 0.55
    assert shifted["spread_ratio"] == pytest.approx(1.3, abs=0.08)


def test_misfit_is_that_of_the_simulator_over_the_prior_spread(glacier):
    rng = np.random.default_rng(0)
    x = glacier.sample(40, rng)["x"]
    y = glacier.simulate(x)
    spread = np.array([2.0, 4.0])
    samples = np.repeat(x[:, None], 30, axis=1)
    exact, _ = inverse_checks.resimulation(glacier, samples, y, spread)
    assert exact["misfit_q99_of_spread"] < 1e-12 and exact["misfit_within_2_percent_min"] == 1.0
    found, arrays = inverse_checks.resimulation(glacier, samples, y + np.array([0.03, 0.1]), spread)
    np.testing.assert_allclose(arrays["misfit_q99"], [0.015, 0.025])
    assert found["misfit_q99_of_spread"] == pytest.approx(0.025)
    assert found["misfit_within_2_percent_min"] == 0.0
    assert found["err_resim"] == pytest.approx(np.sqrt((0.03**2 + 0.1**2) / 2))
    assert found["err_resim_over_noise"] == pytest.approx(found["err_resim"] / glacier.noise)


def test_the_coverage_of_a_calibrated_posterior_keeps_below_its_null():
    rng = np.random.default_rng(1)
    null = coverage_null(300, 5, LEVELS, rng)
    errors = []
    for _ in range(40):
        inside = np.sort(np.abs(2 * rng.random((300, 5)) - 1), axis=0)
        rates = np.stack([np.searchsorted(column, LEVELS) / 300 for column in inside.T])
        errors.append(np.abs(rates - LEVELS).max())
    # Chance of 5 % each: more than 8 of 40 once in 5,000 changes of the code.
    assert np.sum(np.array(errors) > null) <= 8


def test_data_with_a_known_level_need_a_conditional_flow():
    settings = {"problem": {"name": "seismograms_any_noise"}, "flow": {"kind": "invertible"}}
    with pytest.raises(SettingsError, match="flow.kind: expected conditional for problem seismograms_any_noise"):
        inverse_noisy.partition({"x": 4, "e": 8, "y": 9}, settings)
    with pytest.raises(SettingsError, match="problem.noise_most: expected a number > noise = 0.4; got 0.3"):
        load_problem({"name": "seismograms_any_noise", "noise": 0.4})


def test_levels_scale_the_noise_and_are_the_last_datum():
    problem = load_problem({"name": "seismograms_any_noise", "layers": 3, "receivers": [1, 2], "samples": 4})
    parts = problem.sample(500, np.random.default_rng(0))
    assert parts["y"].shape == (500, 9) and len(problem.y_names) == 9
    level = np.exp(parts["y"][:, -1:])
    assert 0.01 <= level.min() and level.max() <= 0.3
    np.testing.assert_allclose(parts["y"][:, :-1] - problem.simulate(parts["x"]), level * parts["e"], atol=1e-12)
    quiet = problem.at_level(0.02)
    assert quiet.noise == 0.02 and len(quiet.y_names) == 8
    np.testing.assert_array_equal(quiet.simulate(parts["x"]), problem.simulate(parts["x"]))


def test_a_tiny_run_at_every_level_is_measured_and_drawn(tmp_path):
    problem = {"name": "seismograms_any_noise", "layers": 3, "receivers": [1, 2], "samples": 4}
    flow = {"kind": "conditional", "layers": 2, "hidden": [16], "coupling": "affine", "mixing": "orthogonal"}
    flow |= {"log_x": True, "linear_start": True, "standardise": "full", "standardise_y": "full"}
    settings = resolve(
        {
            "application": "inverse_noisy",
            "problem": problem,
            "data": {"train": 2000, "validation": 200, "test": 300},
            "flow": flow,
            "training": {"steps": 40, "batch_size": 64, "warmup_steps": 5, "validate_every": 20, "steps_per_call": 20},
            "evaluation": {"observations": 60, "posterior_samples": 60},
        }
    )
    prepare(settings, tmp_path / "data")
    train(settings, tmp_path / "data", tmp_path / "model", checkpoints=None)
    evaluate(settings, tmp_path / "data", tmp_path / "model", tmp_path / "evaluation")
    arrays = read_arrays(tmp_path / "evaluation/arrays.npz")
    metrics = json.loads((tmp_path / "evaluation/metrics.json").read_text())
    # More noise, wider posteriors: of the normal approximation at every step.
    assert (np.diff(arrays["level_normal"], axis=0) > 0).all() and arrays["level_normal"].max() < 1
    assert 0.5 < metrics["level_spread_ratio"] < 3 and metrics["posterior_ms_1000"] > 0
    for name in inverse_noisy.figures(settings):
        draw(settings, name, tmp_path / "evaluation", tmp_path / "model", [tmp_path / f"{name}.png"])
    # A reference that was damaged is refused by name.
    write_arrays(tmp_path / "reference/reference.npz", {"x": np.zeros(1)})
    digest = sha256_of(tmp_path / "reference/reference.npz")
    write_json(tmp_path / "reference/report.json", {"files": {"reference.npz": {"sha256": digest[::-1]}}})
    with pytest.raises(DataError, match="reference.npz: expected the SHA-256 of its report.json"):
        evaluate(settings, tmp_path / "data", tmp_path / "model", tmp_path / "again", reference=tmp_path / "reference")
