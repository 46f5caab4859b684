"""FlowModel: densities, partitions, files."""

import json
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from flowpkg.errors import DataError, ModelError, SettingsError
from flowpkg.flows import build_flow
from flowpkg.model import FlowModel
from flowpkg.partition import Partition
from flowpkg.settings import resolve
from tests.conftest import RUN, randomise


def make(partition, dtype="float64", scale=0.3, **flow):
    settings = resolve({**RUN, "flow": {"layers": 3, "hidden": [8], "dtype": dtype, **flow}})["flow"]
    model = build_flow(settings, partition, seed=3)
    randomise(model, scale=scale)
    return model


@pytest.mark.parametrize("coupling", ["affine", "spline"])
def test_density_integrates_to_one(coupling):
    # Small steps from the identity: a spline far from it has peaks that no grid resolves.
    model = make(Partition(x=2), scale=0.05, coupling=coupling, mixing="orthogonal", actnorm=True)
    # A grid in data space that covers the image of the latents to 7 standard deviations.
    reach = np.abs(model.sample(50_000, temperature=1.3).x).max() * 1.5
    axis = np.linspace(-reach, reach, 1200)
    grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    mass = np.exp(model.log_prob(grid).numpy()).sum() * (axis[1] - axis[0]) ** 2
    assert mass == pytest.approx(1.0, abs=2e-3)


def test_log_prob_is_that_of_the_tfp_distribution():
    model = make(Partition(x=3), mixing="permutation")
    points = model.sample(20, seed=(1, 2)).x
    np.testing.assert_allclose(model.log_prob(points), model.distribution().log_prob(points), atol=1e-10)
    assert model.distribution().sample(5, seed=1).shape == (5, 3)


def test_log_prob_with_targets_is_the_formula():
    model = make(Partition(x=3, e=1, y=2))
    rng = np.random.default_rng(0)
    x, e, y = rng.standard_normal((7, 3)), rng.standard_normal((7, 1)), rng.standard_normal((7, 2))
    outputs = model.encode(x, e)
    inputs = tf.constant(np.concatenate([x, e], axis=1))
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(inputs)
        mapped = model.bijector.inverse_and_log_det(inputs)[0]
    log_det = np.linalg.slogdet(tape.batch_jacobian(mapped, inputs, experimental_use_pfor=False))[1]

    def normal(value, scale):
        return (-0.5 * (value / scale) ** 2 - np.log(scale) - 0.5 * np.log(2 * np.pi)).sum(axis=1)

    expected = normal(outputs.y.numpy() - y, model.sigma_y) + normal(outputs.z.numpy(), 1.0) + log_det
    np.testing.assert_allclose(model.log_prob(x, e, y), expected, atol=1e-8)


def test_encode_and_decode_are_inverse_for_every_partition():
    for partition in (Partition(x=4), Partition(x=4, y=2), Partition(x=2, e=2, y=3), Partition(x=2, e=3, y=3)):
        model = make(partition, scale=0.1)
        x, e = np.random.default_rng(0).standard_normal((5, partition.x)), np.ones((5, partition.e))
        outputs = model.encode(x, e if partition.e else None)
        back = model.decode(outputs.z.numpy(), outputs.y.numpy() if partition.y else None)
        np.testing.assert_allclose(back.x, x, atol=1e-8)
        np.testing.assert_allclose(back.e, e, atol=1e-8)


def test_samples_repeat_and_follow_the_temperature():
    model = make(Partition(x=2))
    np.testing.assert_array_equal(model.sample(10, seed=(4, 5)).x, model.sample(10, seed=(4, 5)).x)
    cold = model.encode(model.sample(2000, temperature=0.5, seed=(1, 1)).x).z.numpy()
    # Standard error of a deviation of 4,000 numbers: 0.5 / sqrt(8000) = 0.0056; 5 of them.
    assert cold.std() == pytest.approx(0.5, abs=0.028)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_new_process_loads_the_same_log_prob(tmp_path, dtype):
    model = make(Partition(x=3), dtype, mixing="orthogonal", actnorm=True)
    points = np.random.default_rng(0).standard_normal((100, 3))
    model.save(tmp_path / "model")
    np.save(tmp_path / "points.npy", points)
    code = (
        "import sys, numpy as np; from flowpkg.model import FlowModel; from pathlib import Path; r = Path(sys.argv[1]);"
        "np.save(r / 'again.npy', FlowModel.load(r / 'model').log_prob(np.load(r / 'points.npy')).numpy())"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, capture_output=True)
    assert np.load(tmp_path / "again.npy").tobytes() == model.log_prob(points).numpy().tobytes()


def test_damaged_files_are_named(tmp_path):
    folder = tmp_path / "model"
    with pytest.raises(ModelError, match="architecture.json: expected a JSON file; got no such file"):
        FlowModel.load(folder)
    make(Partition(x=2)).save(folder)
    weights = (folder / "weights.npz").read_bytes()
    (folder / "weights.npz").write_bytes(weights[: len(weights) // 2])
    with pytest.raises(ModelError, match="weights.npz: expected SHA-256 .* truncated, damaged"):
        FlowModel.load(folder)
    (folder / "weights.npz").unlink()
    with pytest.raises(ModelError, match="weights.npz: expected the weights"):
        FlowModel.load(folder)
    (folder / "weights.npz").write_bytes(weights)
    FlowModel.load(folder)
    architecture = json.loads((folder / "architecture.json").read_text())
    (folder / "architecture.json").write_text(json.dumps({**architecture, "format_version": 99}))
    with pytest.raises(ModelError, match="expected format version 1; got 99"):
        FlowModel.load(folder)
    (folder / "architecture.json").write_text("{")
    with pytest.raises(ModelError, match="expected JSON"):
        FlowModel.load(folder)


def test_weights_of_another_architecture_are_refused():
    small, large = make(Partition(x=2)), make(Partition(x=2), hidden=[9])
    with pytest.raises(ModelError, match="expected shape .* got"):
        small.assign(large.arrays())
    with pytest.raises(ModelError, match="is missing|is unknown"):
        small.assign(make(Partition(x=2), layers=4).arrays())


@pytest.mark.parametrize("value", [np.ones((4, 3)), np.ones(2)], ids=["width", "rank"])
def test_wrong_shapes_are_refused(value):
    with pytest.raises(DataError, match=r"x: expected an array \[n, 2\]; got shape"):
        make(Partition(x=2)).log_prob(value)


def test_missing_and_unwanted_parts_are_refused():
    with pytest.raises(DataError, match="e: expected an array .* got none"):
        make(Partition(x=2, e=1)).log_prob(np.ones((1, 2)))
    with pytest.raises(DataError, match="e: expected none"):
        make(Partition(x=2)).encode(np.ones((1, 2)), np.ones((1, 1)))
    with pytest.raises(ModelError, match="without y"):
        make(Partition(x=2, y=1)).distribution()
    with pytest.raises(SettingsError, match="dim x \\+ dim e = dim y \\+ dim z"):
        Partition(x=2, y=3)


def make_conditional(width=2, dtype="float64", **flow):
    settings = resolve({**RUN, "flow": {"layers": 3, "hidden": [8], "dtype": dtype, **flow}})["flow"]
    model = build_flow(settings, Partition(x=3), seed=3, context_dim=width)
    randomise(model)
    return model


def test_conditional_log_prob_is_the_formula_and_inverts():
    model = make_conditional(mixing="orthogonal")
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((6, 3)), rng.standard_normal((6, 2))
    inputs = tf.constant(x)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(inputs)
        z = model.bijector.inverse_and_log_det(inputs, tf.constant(y))[0]
    log_det = np.linalg.slogdet(tape.batch_jacobian(z, inputs, experimental_use_pfor=False))[1]
    expected = (-0.5 * z.numpy() ** 2 - 0.5 * np.log(2 * np.pi)).sum(axis=1) + log_det
    np.testing.assert_allclose(model.log_prob(x, y=y), expected, atol=1e-9)
    np.testing.assert_allclose(model.decode(model.encode(x, y=y).z, y).x, x, atol=1e-8)
    assert np.abs(model.log_prob(x, y=y) - model.log_prob(x, y=y + 1.0)).max() > 1e-3


@pytest.mark.parametrize("kind", ["invertible", "conditional"])
def test_posterior_is_decode_of_fixed_y_and_does_not_depend_on_other_rows(kind):
    model = make(Partition(x=3, y=2), scale=0.1) if kind == "invertible" else make_conditional()
    y = np.array([[0.3, -0.2], [1.0, 0.5]])
    samples = model.posterior(y, 40, seed=(1, 2))
    assert samples.shape == (2, 40, 3)
    np.testing.assert_array_equal(samples, model.posterior(y, 40, seed=(1, 2)))
    again = model.encode(samples[1], y=np.tile(y[1], (40, 1)) if kind == "conditional" else None)
    np.testing.assert_allclose(again.y, np.tile(y[1], (40, 1)), atol=1e-6)
    # 120 latents: their standard deviation has a standard error of 0.065; 5 of them.
    assert np.std(again.z) == pytest.approx(1.0, abs=0.33)
    np.testing.assert_allclose(model.posterior(y, 40, seed=(1, 2), chunk=80), samples)
    assert model.posterior(y, 5, chunk=3).shape == (2, 5, 3)


def test_posterior_samples_keep_within_the_bound_of_affine_log_scales():
    # Worst case of L layers: each coordinate grows by at most exp(bound) per layer and the shift of its network.
    model = make(Partition(x=4, y=2), scale=2.0, coupling="affine", log_scale_bound=0.5)
    samples = model.posterior(np.zeros((1, 2)), 20_000)
    assert np.isfinite(samples).all()


def test_bad_observations_name_the_row():
    model = make_conditional()
    with pytest.raises(DataError, match="NaN or infinity in row 2"):
        model.posterior([[0.0, 0.0], [np.nan, 0.0]], 3)
    with pytest.raises(DataError, match=r"y: expected an array \[n, 2\]"):
        model.posterior([[0.0, 0.0, 1.0]], 3)
    with pytest.raises(ModelError, match="knows a y"):
        make(Partition(x=2)).posterior([[0.0]], 3)
    with pytest.raises(SettingsError, match="y = 0 for a conditional flow"):
        build_flow(resolve(RUN)["flow"], Partition(x=2, y=1), context_dim=1)


def test_label_densities_integrate_out_the_padding():
    model = make(Partition(x=2, e=2, y=2), scale=0.02, sigma_y=0.5, mixing="permutation")
    x = model.sample(5, y=1, seed=(3, 3)).x.numpy()
    found = model.label_log_prob(x, draws=20_000)
    # Quadrature over e on a grid wide enough for both normals.
    axis = np.linspace(-8, 8, 161)
    e = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    for row in range(len(x)):
        for k in range(2):
            joint = model.log_prob(np.tile(x[row], (len(e), 1)), e, np.tile(np.eye(2)[k], (len(e), 1))).numpy()
            exact = np.log(np.exp(joint).sum() * (axis[1] - axis[0]) ** 2)
            assert found[row, k] == pytest.approx(exact, abs=0.1)


@pytest.mark.parametrize("kind", ["invertible", "conditional"])
def test_classify_is_bayes_rule(kind):
    model = make(Partition(x=3, y=2), scale=0.1, sigma_y=0.5) if kind == "invertible" else make_conditional()
    x = np.random.default_rng(0).standard_normal((9, 3))
    density = np.stack([np.exp(model.log_prob(x, y=np.tile(np.eye(2)[k], (9, 1)))) for k in range(2)], axis=1)
    expected = density * [0.3, 0.7] / (density * [0.3, 0.7]).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model.classify(x, priors=[0.3, 0.7]), expected, atol=1e-9)
    with pytest.raises(DataError, match="priors: expected 2 positive numbers that add up to 1"):
        model.classify(x, priors=[0.3, 0.3])
    with pytest.raises(DataError, match="label from 0 to 1; got 2"):
        model.sample(3, y=2)


def test_samples_given_a_label_follow_log_prob():
    model = make(Partition(x=3, y=2), scale=0.1, sigma_y=0.5)
    y = np.tile(np.eye(2)[0], (4000, 1))
    drawn = model.sample(4000, y=0, seed=(5, 5)).x.numpy()
    outputs = model.encode(drawn)
    # Standard error of a deviation of 8,000 numbers: 0.008 of it; 5 of them.
    assert (outputs.y.numpy() - y).std() == pytest.approx(0.5, rel=0.04)
    assert outputs.z.numpy().std() == pytest.approx(1.0, rel=0.06)


def test_y_is_standardised_and_predict_gives_its_units():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((3000, 3)) * [1.0, 2.0, 3.0]
    y = x @ rng.standard_normal((3, 2)) * 50.0 + 1000.0
    settings = resolve(
        {**RUN, "flow": {"layers": 2, "hidden": [8], "dtype": "float64", "linear_start": True, "mixing": "orthogonal",
                         "standardise": "full", "standardise_y": "full"}}
    )["flow"]  # fmt: skip
    model = build_flow(settings, Partition(x=3, y=2), seed=1, training_inputs=x, training_known=y)
    # A linear problem is solved by the linear start, to rounding, couplings being the identity.
    np.testing.assert_allclose(model.predict(x[:20]), y[:20], rtol=1e-6)
    posterior = model.posterior(y[:3], 50)
    np.testing.assert_allclose(model.predict(posterior[0]), np.tile(y[0], (50, 1)), rtol=1e-6)


def test_a_model_with_y_is_saved_whole(tmp_path):
    for index, model in enumerate((make(Partition(x=3, y=2), sigma_y=0.3), make_conditional())):
        model.save(tmp_path / str(index))
        again = FlowModel.load(tmp_path / str(index))
        x, y = np.ones((2, 3)), np.ones((2, 2))
        np.testing.assert_array_equal(again.log_prob(x, y=y), model.log_prob(x, y=y))
        assert again.y_names == model.y_names and again.context_dim == model.context_dim


def test_a_conditional_linear_start_is_the_exact_posterior():
    from flowpkg.problems import load_problem

    problem = load_problem({"name": "linear_gaussian", "unknowns": 3, "data": 5})
    data = problem.sample(50_000, np.random.default_rng(0))
    settings = resolve(
        {**RUN, "flow": {"layers": 2, "hidden": [8], "mixing": "orthogonal", "linear_start": True, "dtype": "float64"}}
    )["flow"]
    model = build_flow(
        settings, Partition(x=3), seed=1, training_inputs=data["x"], training_known=data["y"], context_dim=5
    )
    samples = model.posterior(data["y"][:4], 20_000)
    mean, covariance = problem.exact_posterior(data["y"][:4])
    # Standard errors: of a mean 0.007 sd, of the regression 0.01; of a covariance entry 0.01.
    np.testing.assert_allclose(samples.mean(axis=1), mean, atol=0.05)
    np.testing.assert_allclose(np.cov(samples[0].T), covariance, atol=0.05)
    z = model.encode(data["x"][:50], y=data["y"][:50]).z
    np.testing.assert_allclose(model.decode(z, data["y"][:50]).x, data["x"][:50], atol=1e-9)


@pytest.mark.parametrize("kind", ["invertible", "conditional"])
def test_logarithms_keep_signs_enter_the_density_and_survive_saving(kind, tmp_path):
    rng = np.random.default_rng(4)
    x = np.exp(0.5 * rng.standard_normal((4000, 3)))
    y = -(x[:, :2] ** 2) * np.exp(0.1 * rng.standard_normal((4000, 2)))
    flow = {"log_x": True, "log_y": True, "linear_start": True, "mixing": "orthogonal", "standardise": "full"}
    settings = resolve({**RUN, "flow": {"layers": 2, "hidden": [8], "dtype": "float64", "kind": kind, **flow}})["flow"]
    cut, width = (Partition(x=3), 2) if kind == "conditional" else (Partition(x=3, y=2), 0)
    model = build_flow(settings, cut, seed=3, training_inputs=x, training_known=y, context_dim=width)
    samples = model.posterior(y[:4], 500)
    assert (samples > 0).all()
    # What is linear in the logarithms is there from the start: x1 and x2 are known to 0.05 of their logarithm.
    assert np.abs(np.log(samples[..., :2]).mean(axis=1) - np.log(np.sqrt(-y[:4]))).max() < 0.1
    inputs = tf.constant(x[:5])
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        mapped = model.bijector.inverse_and_log_det(inputs, model.standardised(tf.constant(y[:5])) if width else None)[
            0
        ]
    log_det = np.linalg.slogdet(tape.batch_jacobian(mapped, inputs))[1]
    outputs = mapped.numpy()
    if not width:
        outputs[:, :2] = (outputs[:, :2] - model.standardised(tf.constant(y[:5])).numpy()) / model.sigma_y
        log_det -= 2 * np.log(model.sigma_y)
    expected = -0.5 * (outputs**2).sum(axis=1) - 1.5 * np.log(2 * np.pi) + log_det
    np.testing.assert_allclose(model.log_prob(x[:5], None, y[:5]), expected, atol=1e-8)
    model.save(tmp_path / "model")
    again = FlowModel.load(tmp_path / "model")
    np.testing.assert_array_equal(again.log_prob(x[:5], None, y[:5]), model.log_prob(x[:5], None, y[:5]))
    with pytest.raises(DataError, match="got NaN, infinity or another sign in row 2"):
        model.posterior(np.array([[-1.0, -1.0], [-1.0, 1.0]]), 3)
