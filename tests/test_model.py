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
