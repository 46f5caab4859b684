"""`flowpkg train`: fit a flow to prepared data."""

from __future__ import annotations

import shutil
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import logsumexp

from flowpkg.applications import load_application
from flowpkg.commands.data import read_data
from flowpkg.dequantise import dequantise
from flowpkg.files import atomic_directory, write_arrays, write_json
from flowpkg.noise import noise_rows, split_noise
from flowpkg.problems import load_problem
from flowpkg.provenance import provenance
from flowpkg.seeds import generator
from flowpkg.tensorflow_setup import set_up_tensorflow


def train(
    settings: dict[str, Any],
    data: str | Path,
    out: str | Path,
    *,
    checkpoints: str | Path | None,
    threads: int = 0,
    gpus: int | None = None,
) -> None:
    """Train and write `weights.npz`, `architecture.json`, `history.csv`, `training.json`, `training_scores.npz`.

    Args:
        settings: the run's complete settings.
        data: folder of `flowpkg prepare`.
        out: folder of the model; replaced as a whole at the end.
        checkpoints: folder for checkpoints, resumed from if it fits and removed at the end; None for none.
        threads: threads of one TensorFlow operation; 0 for TensorFlow's choice.
        gpus: 0 hides GPUs, another number is expected; None uses what there is.

    Raises:
        DivergenceError: the loss became non-finite; earlier results stay.
    """
    set_up_tensorflow(threads, gpus)
    from flowpkg.devices import training_strategy
    from flowpkg.flows import build_flow
    from flowpkg.training import Trainer, write_history
    from flowpkg.training_data import Dataset, fit_whitening

    arrays, names, y_names = read_data(data)
    # Images are flattened: their width is the number of all pixels and channels.
    widths = {
        part: int(np.prod(arrays[f"train_{part}"].shape[1:])) for part in ("x", "e", "y") if f"train_{part}" in arrays
    }
    cut, context_dim = load_application(settings["application"]).partition(widths, settings)
    # A conditional flow has no use for the nuisance: its posterior of x covers it.
    parts = [part for part in ("x", "e", "y") if part in widths and (part != "e" or cut.e)]
    splits = {name: {part: arrays[f"{name}_{part}"] for part in parts} for name in ("train", "validation")}
    flow, training, seed = settings["flow"], settings["training"], settings["seed"]
    problem = load_problem(settings["problem"])
    if hasattr(problem, "classes"):
        # One-hot vectors have a scale of their own, and a lone label does not vary.
        flow = {**flow, "standardise_y": "none"}
    noise, exact = None, None
    if training["fresh_noise"]:
        noise = noise_rows(problem, widths["y"])
        splits["train"]["y"], exact = split_noise(problem, arrays, "train", seed)
        splits["validation"]["y"], _ = split_noise(problem, arrays, "validation", seed)
    images = splits["train"]["x"].dtype == np.uint8
    level_step = getattr(problem, "step", 1)
    if images:
        # Some are enough to initialise from; all of them as floats may not fit into memory.
        chosen = np.sort(generator(seed, "initial images").permutation(len(splits["train"]["x"]))[:256])
        inputs = dequantise(splits["train"]["x"][chosen], generator(seed, "initial noise"), level_step)
    else:
        chosen = slice(None)
        inputs = np.concatenate([splits["train"][part] for part in parts if part != "y"], axis=1)
    strategy = training_strategy(training["devices"])
    with strategy.scope() if strategy else nullcontext():
        model = build_flow(
            flow,
            cut,
            seed=seed,
            training_inputs=inputs,
            training_known=splits["train"]["y"][chosen] if "y" in parts else None,
            names=names,
            y_names=y_names,
            problem=settings["problem"],
            context_dim=context_dim,
            image_shape=splits["train"]["x"].shape[1:] if images else None,
        )
    if exact is not None:
        splits["train"]["y"] = exact
    train_data, validation_data = (
        Dataset.of(model, **splits[name], memory_mb=training["memory_mb"], level_step=level_step)
        for name in ("train", "validation")
    )
    result = Trainer(
        model,
        train_data,
        validation_data,
        training,
        seed=seed,
        checkpoints=checkpoints,
        strategy=strategy,
        augment=_augmentation(settings["data"], level_step) if images else None,
        noise=noise,
    ).fit()
    gain = fit_whitening(model, train_data, validation_data)
    with atomic_directory(out) as folder:
        model.save(folder)
        write_history(folder / "history.csv", result.history)
        if images:
            scores = _image_scores(model, splits, settings, level_step)
        else:
            scores = _scores(model, train_data, seed)
        write_arrays(folder / "training_scores.npz", scores)
        report = {key: value for key, value in vars(result).items() if key != "history"}
        if images:
            # Bits per dimension of validation images before whitening are those of best_validation_loss.
            report["whitening_gain_nats"] = gain
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


def _augmentation(settings: dict[str, Any], step: int):
    """Return the function of `data.augment` on images and a seed, or None if everything is off."""
    options = settings.get("augment")
    if not options or not any(options.values()):
        return None
    from flowpkg.augmentation import augment

    return lambda images, seed: augment(images, options, seed, step=step)


def _scores(model, data, seed: int) -> dict[str, np.ndarray]:
    """Return what new data are compared with: quantiles of log-densities, and the range of y where there is one."""
    from flowpkg.training_data import log_probs

    log_prob = log_probs(model, data, 100_000)
    levels = np.linspace(0.0, 1.0, 1001)
    if not model.known_dim:
        return {"log_prob_quantiles": np.quantile(log_prob.astype(np.float64), levels)}
    y = np.asarray(data.known[:100_000], np.float64)
    if set(np.unique(y[:1000])) <= {0.0, 1.0}:
        # Labels: what counts is how likely x is under any of them.
        x = data.floats(slice(0, 20_000))[0][:, : model.partition.x]
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


def _image_scores(model, splits, settings: dict[str, Any], step: int) -> dict[str, np.ndarray]:
    """Return what new images are compared with, see `fit_scores`."""
    from flowpkg.image_statistics import fit_scores

    labels = {}
    if "y" in splits["train"]:
        labels = {
            "priors": np.asarray(splits["train"]["y"], np.float64).mean(axis=0),
            "validation_label": np.asarray(splits["validation"]["y"]).argmax(axis=1),
        }
    return fit_scores(
        model,
        splits["train"]["x"],
        splits["validation"]["x"],
        seed=settings["seed"],
        step=step,
        components=settings["training"]["latent_components"],
        **labels,
    )
