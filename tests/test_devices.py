"""Training on several devices: the same as on one."""

import json
import subprocess
import sys

import pytest

from flowpkg.devices import training_strategy
from flowpkg.errors import SettingsError

PROGRAM = """
import io, json, sys
import numpy as np
import tensorflow as tf

tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)
from flowpkg.devices import training_strategy
from flowpkg.flows import build_flow
from flowpkg.partition import Partition
from flowpkg.settings import resolve
from flowpkg.training import Trainer
from flowpkg.training_data import Dataset
from tests.conftest import RUN
from tests.test_image_model import SHAPE, SMALL, pictures
from flowpkg.dequantise import dequantise

images, labels = pictures(100)
flow = {"name": "glow", **SMALL, "whitening": 0}
training = {"steps": 12, "batch_size": 20, "warmup_steps": 2, "validate_every": 6, "steps_per_call": 6, "l2": 1e-4,
            "gradient_norm": 50.0, "sigma_y_start": 0.5}
settings = resolve({**RUN, "flow": flow, "training": training})
losses, weights, moments = [], [], []
for devices in ("one", "all"):
    strategy = training_strategy(devices)
    assert (strategy is None) == (devices == "one")
    import contextlib
    with strategy.scope() if strategy else contextlib.nullcontext():
        model = build_flow(settings["flow"], Partition(x=64, y=3), image_shape=SHAPE, seed=1,
                           training_inputs=dequantise(images, 1), training_known=labels)
    data = Dataset.of(model, images, y=labels)
    job = Trainer(model, data, data, settings["training"], seed=1, strategy=strategy, log=io.StringIO())
    result = job.fit()
    losses.append([[row["train_loss"], row["validation_loss"]] for row in result.history])
    weights.append(np.concatenate([value.ravel() for value in model.arrays().values()]))
    if strategy:
        copies = [strategy.experimental_local_results(variable) for variable in model.trainable_variables]
        equal = all(np.array_equal(first, second) for first, second in copies)
    model.save(sys.argv[1])
print(json.dumps({"losses": losses, "difference": float(np.abs(weights[0] - weights[1]).max()),
                  "moved": float(np.abs(weights[0]).max()), "copies_equal": equal}))
"""


def test_two_logical_devices_train_as_one_does(tmp_path):
    # In a process of its own: devices are made before TensorFlow starts, and cannot be changed afterwards.
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path / "model")], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.strip().splitlines()[-1])
    one, two = found["losses"]
    assert len(one) == 2
    for first, second in zip(one, two, strict=True):
        # Sums over a batch are added in another order; nothing else differs.
        assert first == pytest.approx(second, rel=1e-5)
    assert found["copies_equal"] and found["difference"] < 1e-3


def test_devices_by_another_name_are_refused():
    with pytest.raises(SettingsError, match="training.devices: expected one or all; got two"):
        training_strategy("two")
