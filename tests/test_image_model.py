"""Image flows: builders, model files, training from streamed images."""

import io

import numpy as np
import pytest
import tensorflow as tf

from flowpkg.dequantise import dequantise
from flowpkg.errors import DataError, SettingsError
from flowpkg.flows import build_flow
from flowpkg.model import FlowModel
from flowpkg.partition import Partition
from flowpkg.settings import resolve
from flowpkg.training import Trainer
from flowpkg.training_data import Dataset, fit_whitening, stream
from tests.conftest import RUN, randomise

SHAPE = (8, 8, 1)
SMALL = {
    "levels": 2, "steps_per_level": 1, "filters": 8, "layers": 2, "hidden": [16], "coupling": "affine", "whitening": 16,
    "head_layers": 2,
}  # fmt: skip
KINDS = {"plain": {}, "invertible": {"y": 3}, "conditional": {"context_dim": 3}}


def pictures(count=300, seed=0):
    """Blobs whose column tells their class, of one of three brightnesses."""
    rng = np.random.default_rng(seed)
    kind = rng.integers(0, 3, count)
    distance = (np.arange(8)[None, None, :] - 2.0 * kind[:, None, None] - 1.5) ** 2 + (
        np.arange(8)[None, :, None] - 4
    ) ** 2
    bright = 60.0 + 150.0 * rng.random((count, 1, 1))
    levels = bright * np.exp(-0.3 * distance) + 8.0 * rng.random((count, 8, 8))
    return levels.astype(np.uint8)[..., None], np.eye(3)[kind]


def build(name="glow", kind="plain", images=None, labels=None, **flow):
    settings = resolve({**RUN, "flow": {"name": name, **SMALL, **flow}})["flow"]
    options = dict(KINDS[kind])
    partition = Partition(x=64, y=options.pop("y", 0))
    start = {} if images is None else {"training_inputs": dequantise(images[:256], 1), "training_known": labels[:256]}
    return build_flow(settings, partition, image_shape=SHAPE, seed=1, **start, **options)


def trainer(model, images, labels, checkpoints=None, log=None, **training):
    settings = {"steps": 12, "batch_size": 20, "warmup_steps": 2, "validate_every": 4, "steps_per_call": 3, **training}
    settings = resolve({**RUN, "training": settings})["training"]
    y = labels if model.known_dim else None
    train, validation = Dataset.of(model, images, y=y), Dataset.of(model, images[:70], y=None if y is None else y[:70])
    return Trainer(model, train, validation, settings, seed=1, checkpoints=checkpoints, log=log or io.StringIO())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["glow", "image_coupling"])
def test_round_trip_density_and_files(name, kind, tmp_path):
    images, labels = pictures()
    model = build(name, kind, images, labels)
    randomise(model, scale=0.02)
    x, y = dequantise(images[:20], 2), labels[:20] if model.known_dim else None
    outputs = model.encode(x, y=y)
    back = model.decode(outputs.z, outputs.y if model.known_dim else None).x
    np.testing.assert_allclose(back, x, atol=0.05)
    assert model.image_shape == SHAPE and model.names == []
    model.save(tmp_path)
    again = FlowModel.load(tmp_path)
    assert again.image_shape == SHAPE
    np.testing.assert_array_equal(again.log_prob(x, y=y), model.log_prob(x, y=y))
    assert again.sample(3, y=1 if model.known_dim else None).x.shape == (3, 64)


@pytest.mark.parametrize("transform", ["plain", "logit"])
def test_log_prob_is_that_of_the_autodiff_jacobian(transform):
    images, labels = pictures(40)
    model = build("glow", "plain", images, labels, dtype="float64", pixel_transform=transform)
    randomise(model, scale=0.1)
    x = tf.constant(dequantise(images[:2], 2), tf.float64)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        z = model.bijector.inverse_and_log_det(x)[0]
    log_det = np.linalg.slogdet(tape.batch_jacobian(z, x, experimental_use_pfor=False).numpy())[1]
    expected = log_det - 0.5 * np.sum(z.numpy() ** 2, axis=1) - 32 * np.log(2 * np.pi)
    np.testing.assert_allclose(model.log_prob(x), expected, rtol=1e-9)


def test_round_trip_of_64_pixels_in_float32():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (20, 64, 64, 3)).astype(np.uint8)
    settings = resolve({**RUN, "flow": {"name": "glow", "filters": 16}})["flow"]
    x = dequantise(images, 1)
    model = build_flow(settings, Partition(x=64 * 64 * 3), image_shape=(64, 64, 3), training_inputs=x, seed=1)
    # Weights as training leaves them: no coupling is the identity, and scales reach their bounds somewhere.
    randomise(model, scale=0.03)
    z = model.encode(x).z
    back = model.decode(tf.constant(z.numpy())).x
    # In units of the range of pixels.
    assert np.abs(back - x).max() / 256.0 < 1e-3
    assert np.abs(z - x / 256.0).max() > 1.0


@pytest.mark.parametrize("kind", KINDS)
def test_learns_from_streamed_images(kind):
    images, labels = pictures(400)
    model = build("glow", kind, images, labels, sigma_y=0.3)
    job = trainer(model, images, labels, steps=120, validate_every=60, learning_rate=0.005, gradient_norm=50.0)
    before = job.validation_loss()
    result = job.fit()
    assert result.best_validation_loss < before - 20.0
    # An iterator that outlives training can abort the process at exit.
    assert job._batches is None
    if kind != "plain":
        fresh, truth = pictures(100, seed=5)
        found = model.classify(dequantise(fresh, 3)).argmax(axis=1)
        # Chance is 1/3: 60 of 100 by chance has a probability below 1e-7.
        assert np.mean(found == truth.argmax(axis=1)) > 0.6


def test_whitening_after_training_gains_what_it_says():
    images, labels = pictures(400)
    model = build("glow", "plain", images, labels)
    job = trainer(model, images, labels, steps=20)
    job.fit()
    before = job.validation_loss()
    gain = fit_whitening(model, job.train, job.validation)
    assert gain > 0.0
    assert before - job.validation_loss() == pytest.approx(gain, rel=1e-3)


def test_a_killed_streamed_run_resumes_and_ends_with_the_same_bytes(tmp_path):
    images, labels = pictures()
    whole = trainer(build("glow", "plain", images, labels), images, labels)
    expected = whole.fit()
    path = tmp_path / "images.npy"
    np.save(path, images)
    mapped = np.load(path, mmap_mode="r")
    broken = trainer(build("glow", "plain", images, labels), mapped, labels, tmp_path / "c", checkpoint_seconds=0)
    run, calls = broken._run, []

    def interrupted(*arguments):
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return run(*arguments)

    broken._run = interrupted
    with pytest.raises(KeyboardInterrupt):
        broken.fit()
    log = io.StringIO()
    resumed = trainer(build("glow", "plain", images, labels), mapped, labels, tmp_path / "c", log, checkpoint_seconds=0)
    result = resumed.fit()
    assert "resumed at step" in log.getvalue()
    for key, value in whole.model.arrays().items():
        np.testing.assert_array_equal(resumed.model.arrays()[key], value, key)
    assert [row["train_loss"] for row in result.history] == [row["train_loss"] for row in expected.history]


def test_streamed_batches_are_the_rows_of_memory_with_noise_below_one_level():
    images, labels = pictures(50)
    model = build()
    data = Dataset.of(model, images)
    batches = [inputs.numpy() for inputs, _ in stream(data, 3, 0, 4, 10)]
    again = [inputs.numpy() for inputs, _ in stream(data, 3, 2, 4, 10)]
    np.testing.assert_array_equal(np.array(batches[2:]), np.array(again))
    seen = np.floor(np.concatenate(batches)).astype(np.uint8)
    known = {row.tobytes() for row in images.reshape(50, -1)}
    assert len({row.tobytes() for row in seen}) == 40 and all(row.tobytes() in known for row in seen)
    noise = np.concatenate(batches) - seen
    # 2,560 uniform numbers: their mean has a standard error of 0.0057; 5 of them.
    assert abs(noise.mean() - 0.5) < 0.029 and noise.min() >= 0.0 and noise.max() < 1.0
    coarse = Dataset.of(model, images // 16 * 16, level_step=16)
    wide = next(iter(stream(coarse, 3, 0, 1, 10)))[0].numpy() % 16
    assert wide.max() > 8.0


def test_large_tables_are_streamed_and_train_to_the_same_weights():
    x = np.random.default_rng(0).standard_normal((500, 2))
    flow = resolve({**RUN, "flow": {"layers": 2, "hidden": [8], "coupling": "affine"}})["flow"]
    settings = resolve(
        {**RUN, "training": {"steps": 20, "batch_size": 50, "validate_every": 10, "warmup_steps": 2, "xla": False}}
    )["training"]
    weights = []
    for memory_mb in (2000, 1e-3):
        model = build_flow(flow, Partition(x=2), seed=1, training_inputs=x)
        data = Dataset.of(model, x, memory_mb=memory_mb)
        assert data.streamed == (memory_mb < 1)
        Trainer(model, data, Dataset.of(model, x[:100]), settings, seed=1, log=io.StringIO()).fit()
        weights.append(model.arrays())
    for key, value in weights[0].items():
        np.testing.assert_allclose(weights[1][key], value, atol=1e-5, err_msg=key)


def test_bfloat16_trains_convolutions_and_leaves_float32_behind():
    images, labels = pictures()
    half, full = (
        trainer(build("glow", "plain", images, labels), images, labels, precision=precision)
        for precision in ("bfloat16", "float32")
    )
    losses = [job.fit().history[-1]["validation_loss"] for job in (half, full)]
    # Eight bits of precision in the networks: nearly the same training, but not the same.
    assert losses[0] != losses[1] and losses[0] == pytest.approx(losses[1], rel=0.02)
    x = dequantise(images[:10], 1)
    np.testing.assert_allclose(half.model.decode(half.model.encode(x).z).x, x, atol=0.05)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: build("coupling"), SettingsError, "expected glow or image_coupling for images; got coupling"),
        (lambda: build(linear_start=True), SettingsError, "flow.linear_start: expected false for images"),
        (
            lambda: build_flow(resolve({**RUN, "flow": {"name": "glow"}})["flow"], Partition(x=4)),
            SettingsError,
            "expected coupling for data that are no images; got glow",
        ),
        (
            lambda: build_flow(
                resolve({**RUN, "flow": {"name": "glow"}})["flow"], Partition(x=4), image_shape=(8, 8, 1)
            ),
            SettingsError,
            "expected x = 64 and e = 0 for images",
        ),
        (
            lambda: Dataset.of(build(), np.zeros((5, 8, 8, 1), np.float32)),
            DataError,
            "expected uint8 images of shape .*; got float32",
        ),
    ],
)
def test_bad_arguments(make, error, message):
    with pytest.raises(error, match=message):
        make()
