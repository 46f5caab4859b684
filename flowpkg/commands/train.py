"""`flowpkg train`: fit a flow to prepared data."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np

from flowpkg.applications import load_application
from flowpkg.commands.data import read_data
from flowpkg.files import atomic_directory, write_arrays, write_json
from flowpkg.provenance import provenance
from flowpkg.tensorflow_setup import set_up_tensorflow


def train(
    settings: dict[str, Any], data: str | Path, out: str | Path, *, checkpoints: str | Path | None, threads: int = 0
) -> None:
    """Train and write `weights.npz`, `architecture.json`, `history.csv`, `training.json`, `training_scores.npz`.

    Args:
        settings: the run's complete settings.
        data: folder of `flowpkg prepare`.
        out: folder of the model; replaced as a whole at the end.
        checkpoints: folder for checkpoints, resumed from if it fits and removed at the end; None for none.
        threads: threads of one TensorFlow operation; 0 for TensorFlow's choice.

    Raises:
        DivergenceError: the loss became non-finite; earlier results stay.
    """
    set_up_tensorflow(threads)
    from flowpkg.flows import build_flow
    from flowpkg.training import Dataset, Trainer, write_history

    arrays, names = read_data(data)
    cut = load_application(settings["application"]).partition(arrays["train_x"].shape[1])
    model = build_flow(settings["flow"], cut, seed=settings["seed"], training_inputs=arrays["train_x"], names=names)
    splits = [Dataset.of(model, arrays[f"{name}_x"]) for name in ("train", "validation")]
    result = Trainer(model, *splits, settings["training"], seed=settings["seed"], checkpoints=checkpoints).fit()
    with atomic_directory(out) as folder:
        model.save(folder)
        write_history(folder / "history.csv", result.history)
        rows = arrays["train_x"][:100_000]
        quantiles = np.quantile(np.asarray(model.log_prob(rows), np.float64), np.linspace(0.0, 1.0, 1001))
        write_arrays(folder / "training_scores.npz", {"log_prob_quantiles": quantiles})
        report = {key: value for key, value in vars(result).items() if key != "history"}
        write_json(
            folder / "training.json",
            {
                "result": report,
                "provenance": provenance({key: settings[key] for key in ("application", "seed", "flow", "training")}),
            },
        )
    if checkpoints:
        shutil.rmtree(checkpoints, ignore_errors=True)
    print(
        f"train: best validation nll {result.best_validation_nll:.4f} nats at step {result.best_step} of "
        f"{result.steps}, {result.seconds:.1f} s, {result.steps_per_second:.0f} steps/s, {result.gflops:.0f} GFLOP/s",
        file=sys.stderr,
    )
