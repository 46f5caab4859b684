"""Objectives: the MMD losses against a direct formula, annealing, noise on y."""

import io

import numpy as np
import pytest
import tensorflow as tf

from flowpkg.errors import SettingsError
from flowpkg.flows import build_flow
from flowpkg.objectives import BACKWARD_KERNELS, FORWARD_KERNELS, mmd, mmd_objective
from flowpkg.partition import Partition
from flowpkg.problems import load_problem
from flowpkg.settings import resolve
from flowpkg.training import Trainer
from flowpkg.training_data import Dataset
from tests.conftest import RUN, SMALL, randomise

ARM = load_problem({"name": "arm"})
ARM_PARTITION = Partition(x=4, y=2)


def trainer(flow=None, partition=ARM_PARTITION, context_dim=0, rows=400, **training):
    settings = resolve(
        {**RUN, "flow": {**SMALL["flow"], "coupling": "affine", "mixing": "orthogonal", **(flow or {})},
         "training": {**SMALL["training"], **training}}
    )  # fmt: skip
    data = ARM.sample(rows, np.random.default_rng(0))
    model = build_flow(
        settings["flow"],
        partition,
        seed=1,
        training_inputs=data["x"],
        training_known=data["y"],
        context_dim=context_dim,
    )
    splits = Dataset.of(model, **data), Dataset.of(model, data["x"][:100], y=data["y"][:100])
    return Trainer(model, *splits, settings["training"], seed=1, log=io.StringIO())


@pytest.mark.parametrize("kernels", [FORWARD_KERNELS, BACKWARD_KERNELS])
def test_mmd_is_the_double_sum(kernels):
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((9, 3)), rng.standard_normal((7, 3)) + 1.0

    def k(u, v):
        return sum((1.0 + ((u - v) ** 2).sum() / scale) ** -power for scale, power in kernels)

    def mean(first, second):
        return np.mean([[k(u, v) for v in second] for u in first])

    expected = mean(a, a) + mean(b, b) - 2.0 * mean(a, b)
    assert float(mmd(tf.constant(a), tf.constant(b), kernels)) == pytest.approx(expected, abs=1e-10)


def test_no_gradient_of_the_latent_loss_passes_through_y():
    job = trainer(objective="mmd", mmd={"weight_y": 0.0, "weight_z": 1.0, "weight_x": 0.0})
    randomise(job.model)
    model = job.model
    inputs, known = (tf.constant(part[:50], model.dtype) for part in (job.train.inputs, job.train.known))
    # A shift of y_out alone: its gradient must vanish, that of z must not.
    shift = tf.Variable(np.zeros(4), dtype=tf.float32)
    inverse = model.bijector.inverse_and_log_det
    model.bijector.inverse_and_log_det = lambda x, context=None: (inverse(x)[0] + shift, inverse(x)[1])
    with tf.GradientTape() as tape:
        loss = mmd_objective(model, job.settings)(inputs, known, tf.constant(1.0), tf.constant([1, 2]))
    gradient = tape.gradient(loss, shift).numpy()
    assert np.abs(gradient[:2]).max() == 0.0 and np.abs(gradient[2:]).min() > 0.0


def test_mmd_training_lowers_each_loss_and_refuses_a_conditional_flow():
    job = trainer(objective="mmd", steps=150, validate_every=50, learning_rate=0.005, rows=2000)
    result = job.fit()
    losses = [row["validation_loss"] for row in result.history]
    assert losses[-1] < losses[0]
    with pytest.raises(SettingsError, match="expected likelihood for a model without y"):
        trainer(objective="mmd", partition=Partition(x=4), context_dim=2)


def test_annealing_ends_at_sigma_y_and_keeps_no_weights_of_before():
    job = trainer(flow={"sigma_y": 0.05}, sigma_y_start=0.5, sigma_y_anneal_fraction=0.5, steps=40)
    assert job.sigma_y_at(0) == pytest.approx(0.5) and job.sigma_y_at(10) == pytest.approx((0.5 * 0.05) ** 0.5)
    assert job.sigma_y_at(20) == job.sigma_y_at(40) == pytest.approx(0.05)
    result = job.fit()
    assert job.model.sigma_y == pytest.approx(0.05, rel=1e-5) and result.best_step >= 20
    with pytest.raises(SettingsError, match="sigma_y_start: expected null"):
        trainer(flow={"learn_sigma_y": True}, sigma_y_start=0.5)


def test_sigma_y_is_learned():
    job = trainer(flow={"sigma_y": 0.5, "learn_sigma_y": True}, steps=800, learning_rate=0.01, rows=2000)
    job.fit()
    # At the maximum of the likelihood sigma_y^2 is the mean square of the residual.
    found = job.model.encode(job.train.inputs).y.numpy()
    residual = (found - job.train.known) / job.model.standardise_y.scale.numpy().diagonal()
    assert job.model.sigma_y != pytest.approx(0.5, rel=0.05)
    assert job.model.sigma_y == pytest.approx(np.sqrt((residual**2).mean()), rel=0.1)
    assert any("log_sigma_y" in key for key in job.model.arrays())


def test_noise_on_y_repeats_and_widens_a_conditional_posterior():
    def spread(noise):
        job = trainer(partition=Partition(x=4), context_dim=2, rows=4000, y_noise=noise, steps=200, learning_rate=0.01)
        job.fit()
        samples = job.model.posterior([[1.8, 0.2]], 4000)[0].astype(float)
        return np.std(ARM.simulate(samples)[:, 1]), job.model.arrays()

    (sharp, _), (wide, first), (_, again) = spread(0.0), spread(1.0), spread(1.0)
    assert wide > 1.2 * sharp
    assert all(first[key].tobytes() == again[key].tobytes() for key in first)
