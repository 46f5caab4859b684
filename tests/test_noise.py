"""Data noise drawn afresh for each batch."""

import numpy as np
import pytest
import tensorflow as tf

from flowpkg.errors import SettingsError
from flowpkg.flows import build_flow
from flowpkg.noise import noise_rows, split_noise
from flowpkg.partition import Partition
from flowpkg.problems import load_problem
from flowpkg.settings import resolve
from flowpkg.training import Trainer
from flowpkg.training_data import Dataset
from tests.conftest import RUN


def test_noisy_data_are_freed_of_their_noise():
    problem = load_problem({"name": "linear_gaussian", "unknowns": 4, "data": 6, "noise": 0.3})
    parts = {f"train_{name}": rows for name, rows in problem.sample(50, np.random.default_rng(0)).items()}
    noisy, exact = split_noise(problem, parts, "train", 1)
    assert noisy is parts["train_y"]
    np.testing.assert_allclose(exact, problem.simulate(parts["train_x"]), atol=1e-12)
    with pytest.raises(SettingsError, match="fresh_noise: expected a problem that states its data noise"):
        noise_rows(load_problem({"name": "arm"}), 2)


def test_exact_data_get_the_stated_error():
    class Exact:
        noise_free, noise = True, 0.2

        def shaped_noise(self, e):
            return self.noise * e @ np.array([[1.0, 0.5], [0.0, 1.0]])

    y = np.zeros((20_000, 2))
    noisy, exact = split_noise(Exact(), {"test_y": y}, "test", 1)
    assert exact is y and not np.array_equal(noisy, split_noise(Exact(), {"test_y": y}, "test", 2)[0])
    # Standard errors at most 0.0006: 5 of them.
    np.testing.assert_allclose(np.cov(noisy.T), 0.04 * np.array([[1.0, 0.5], [0.5, 1.25]]), atol=0.003)


@pytest.mark.parametrize("kind", ["invertible", "conditional"])
def test_batches_get_noise_of_their_own_in_y_and_e(kind):
    settings = resolve({**RUN, "flow": {"layers": 2, "hidden": [8], "kind": kind}, "training": {"batch_size": 64}})
    cut, width = (Partition(x=3), 2) if kind == "conditional" else (Partition(x=3, e=2, y=2), 0)
    model = build_flow(settings["flow"], cut, context_dim=width)
    rng = np.random.default_rng(0)
    x, e, y = rng.standard_normal((64, 3)), np.zeros((64, 2)), np.zeros((64, 2))
    data = Dataset.of(model, x, None if width else e, y)
    rows = np.array([[2.0, 1.0], [0.0, 1.0]])
    trainer = Trainer(model, data, data, settings["training"], noise=rows)
    inputs, known = tf.constant(data.inputs), tf.constant(data.targets)
    first, y_first = (value.numpy() for value in trainer._with_noise(inputs, known, tf.constant(0)))
    y_second = trainer._with_noise(inputs, known, tf.constant(1))[1].numpy()
    np.testing.assert_array_equal(first[:, :3], x.astype(np.float32))
    assert not np.allclose(y_first, y_second)
    if not width:
        np.testing.assert_allclose(y_first, first[:, 3:] @ rows, rtol=1e-5, atol=1e-6)
    assert np.std(y_first @ np.linalg.inv(rows)) == pytest.approx(1.0, abs=0.35)
    # What is trained on is what the step draws: without noise the weights end elsewhere.
    quiet = Trainer(build_flow(settings["flow"], cut, context_dim=width), data, data, settings["training"])
    trainer._call(0, 2), quiet._call(0, 2)
    assert any(not np.array_equal(a, b) for a, b in zip(model.arrays().values(), quiet.model.arrays().values()))
