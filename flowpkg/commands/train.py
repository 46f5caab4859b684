"""`flowpkg train`: fit a flow to prepared data."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import logsumexp

from flowpkg.applications import load_application
from flowpkg.commands.data import read_data
from flowpkg.files import atomic_directory, write_arrays, write_json
from flowpkg.problems import load_problem
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

    arrays, names, y_names = read_data(data)
    widths = {part: arrays[f"train_{part}"].shape[1] for part in ("x", "e", "y") if f"train_{part}" in arrays}
    cut, context_dim = load_application(settings["application"]).partition(widths, settings)
    # A conditional flow has no use for the nuisance: its posterior of x covers it.
    parts = [part for part in ("x", "e", "y") if part in widths and (part != "e" or cut.e)]
    splits = {name: {part: arrays[f"{name}_{part}"] for part in parts} for name in ("train", "validation")}
    flow = settings["flow"]
    if hasattr(load_problem(settings["problem"]), "classes"):
        # One-hot vectors have a scale of their own, and a lone label does not vary.
        flow = {**flow, "standardise_y": "none"}
    model = build_flow(
        flow,
        cut,
        seed=settings["seed"],
        training_inputs=np.concatenate([splits["train"][part] for part in parts if part != "y"], axis=1),
        training_known=splits["train"].get("y"),
        names=names,
        y_names=y_names,
        problem=settings["problem"],
        context_dim=context_dim,
    )
    train_data, validation_data = (Dataset.of(model, **splits[name]) for name in ("train", "validation"))
    result = Trainer(
        model, train_data, validation_data, settings["training"], seed=settings["seed"], checkpoints=checkpoints
    ).fit()
    with atomic_directory(out) as folder:
        model.save(folder)
        write_history(folder / "history.csv", result.history)
        write_arrays(folder / "training_scores.npz", _scores(model, train_data, settings["seed"]))
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
        f"train: best validation loss {result.best_validation_loss:.4f} at step {result.best_step} of "
        f"{result.steps}, {result.seconds:.1f} s, {result.steps_per_second:.0f} steps/s, {result.gflops:.0f} GFLOP/s",
        file=sys.stderr,
    )


def _scores(model, data, seed: int) -> dict[str, np.ndarray]:
    """Return what new data are compared with: quantiles of log-densities, and the range of y where there is one."""
    rows = slice(0, 100_000)
    log_prob = model._log_prob(data.inputs[rows], data.known[rows]).numpy()
    levels = np.linspace(0.0, 1.0, 1001)
    if not model.known_dim:
        return {"log_prob_quantiles": np.quantile(log_prob.astype(np.float64), levels)}
    y = data.known[rows].astype(np.float64)
    if set(np.unique(y[:1000])) <= {0.0, 1.0}:
        # Labels: what counts is how likely x is under any of them.
        x = data.inputs[:20_000, : model.partition.x]
        scores = logsumexp(model.label_log_prob(x, draws=16, seed=(seed, 7)) + np.log(y.mean(axis=0)), axis=1)
        return {"log_prob_quantiles": np.quantile(scores, levels), "priors": y.mean(axis=0)}
    mean, covariance = y.mean(axis=0), np.cov(y, rowvar=False).reshape(y.shape[1], -1)
    precision = np.linalg.pinv(covariance, rcond=1e-10, hermitian=True)
    distance = np.sqrt(np.einsum("ni,ij,nj->n", y - mean, precision, y - mean))
    return {
        "log_prob_quantiles": np.quantile(log_prob.astype(np.float64), levels),
        "y_mean": mean,
        "y_precision": precision,
        "y_distance_quantiles": np.quantile(distance, levels),
        "y_low": y.min(axis=0),
        "y_high": y.max(axis=0),
    }
