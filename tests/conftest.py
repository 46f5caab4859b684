"""Settings and models that many tests share."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

import numpy as np
import pytest

from flowpkg.settings import resolve

RUN = {"application": "distribution_mapping", "problem": {"name": "moons"}}
SMALL = {
    "data": {"train": 1000, "validation": 300, "test": 500},
    "flow": {"layers": 2, "hidden": [8]},
    "training": {"steps": 20, "batch_size": 50, "warmup_steps": 2, "validate_every": 10, "steps_per_call": 5},
    "evaluation": {
        "c2st_samples": 100, "energy_samples": 100, "energy_replicates": 20, "bootstrap_replicates": 20, "grid": 20
    },
}  # fmt: skip


@pytest.fixture
def run_settings():
    """Complete settings of a run, with sections laid over the small ones."""

    def build(problem=None, **sections):
        settings = {**RUN, **{key: {**value, **sections.get(key, {})} for key, value in SMALL.items()}}
        if problem:
            settings["problem"] = problem
        return resolve(settings)

    return build


def randomise(module, seed=0, scale=0.3):
    """Move every trainable variable away from its initial value, so that no test sees only the identity."""
    rng = np.random.default_rng(seed)
    for variable in module.trainable_variables:
        variable.assign_add(scale * rng.standard_normal(variable.shape))


@pytest.fixture
def trained(tmp_path_factory, run_settings):
    """Folders of a tiny prepared, trained and evaluated run of moons."""
    from flowpkg.commands.evaluate import evaluate
    from flowpkg.commands.prepare import prepare
    from flowpkg.commands.train import train

    root, settings = tmp_path_factory.mktemp("run"), run_settings()
    prepare(settings, root / "data")
    train(settings, root / "data", root / "model", checkpoints=root / "checkpoints")
    evaluate(settings, root / "data", root / "model", root / "evaluation")
    return root, settings
