"""Training: many steps in one compiled call, checkpoints, early stopping, a divergence guard."""

from __future__ import annotations

import csv
import math
import os
import resource
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from flowpkg.conditioners import ConvolutionalConditioner
from flowpkg.errors import DataError, DivergenceError, ModelError, SettingsError
from flowpkg.files import (
    atomic_directory,
    atomic_path,
    read_arrays,
    read_json,
    sha256_of,
    sha256_of_json,
    write_arrays,
    write_json,
)
from flowpkg.model import FlowModel
from flowpkg.objectives import OBJECTIVES
from flowpkg.optimiser import Adam
from flowpkg.progress import Progress
from flowpkg.training_data import Dataset, batch_indices, log_probs, stream

HISTORY_COLUMNS = ("step", "train_loss", "validation_loss", "learning_rate", "gradient_norm_max", "seconds")


@dataclass
class TrainingResult:
    """What training did: rows of `history.csv`, the best validation loss, times and rates."""

    history: list[dict[str, float]]
    best_step: int
    best_validation_loss: float
    steps: int
    stopped_early: bool
    seconds: float
    steps_per_second: float
    gflops: float
    peak_memory_mb: float


@dataclass
class _State:
    step: int = 0
    seconds: float = 0.0
    best_step: int = 0
    best_loss: float = math.inf
    waited: int = 0
    timed_steps: int = 0
    timed_seconds: float = 0.0
    history: list[dict[str, float]] = field(default_factory=list)
    # Since the last validation; part of a checkpoint because one may fall between two validations.
    window_losses: list[float] = field(default_factory=list)
    window_norms: list[float] = field(default_factory=list)


def learning_rate_schedule(settings: Mapping[str, Any]):
    """Return Keras' cosine decay with linear warm-up for the `training` settings."""
    import keras

    warmup = settings["warmup_steps"]
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0 if warmup else settings["learning_rate"],
        warmup_target=settings["learning_rate"] if warmup else None,
        warmup_steps=warmup,
        decay_steps=max(settings["steps"] - warmup, 1),
        alpha=settings["final_learning_rate_fraction"],
    )


class Trainer:
    """Minimises an objective of a `FlowModel` with Adam; see `objectives.py`.

    Args:
        model: the flow; trained in place.
        train: training split; at least one batch.
        validation: validation split, for early stopping and for the choice of the best weights.
        settings: the `training` section of a run, complete (see config/README.md).
        seed: the run's seed; sets the order of the batches.
        checkpoints: folder for checkpoints; None for none. A checkpoint of the same settings found there is
            resumed from.
        noise: `[M, M]`; each batch then gets a fresh e ~ N(0, I): e @ noise is added to its y, which must come
            without noise, and where the inputs have an e it is this one. None leaves the data as they are.
        log: stream for progress; standard error by default.
        strategy: devices that share each batch, see `devices.py`; the model was built in its scope. None for one.
        augment: changes training images, see `training_data.stream`.

    Raises:
        DataError: fewer rows than a batch.
        ModelError: a trainable variable gets no gradient.
        SettingsError: settings that do not fit the model or the devices.
    """

    def __init__(
        self,
        model: FlowModel,
        train: Dataset,
        validation: Dataset,
        settings: Mapping[str, Any],
        *,
        seed: int = 0,
        checkpoints: str | Path | None = None,
        noise: np.ndarray | None = None,
        log=None,
        strategy: tf.distribute.Strategy | None = None,
        augment: Callable | None = None,
    ) -> None:
        if len(train) < settings["batch_size"]:
            raise DataError(
                f"training data: expected at least one batch of {settings['batch_size']} rows; got {len(train)} rows"
            )
        if len(validation) == 0:
            raise DataError("validation data: expected at least one row; got none")
        self.model, self.train, self.validation = model, train, validation
        self.settings, self.seed, self.log = dict(settings), seed, log or sys.stderr
        self.checkpoints = Path(checkpoints) if checkpoints else None
        self.variables = list(model.trainable_variables)
        self.objective = OBJECTIVES[settings["objective"]](model, settings)
        self.annealed = model.partition.y > 0 and settings["sigma_y_start"] is not None
        if self.annealed and model.log_sigma_y.trainable:
            raise SettingsError("training.sigma_y_start: expected null where flow.learn_sigma_y is true; got a number")
        self.final_sigma_y = model.sigma_y
        self.kernels = [variable for variable in self.variables if variable.shape.rank >= 2]
        self.schedule = learning_rate_schedule(settings)
        self.strategy, self.augment = strategy, augment
        self.replicas = strategy.num_replicas_in_sync if strategy else 1
        if settings["batch_size"] % self.replicas:
            raise SettingsError(
                f"training.batch_size: expected a multiple of {self.replicas} devices; got {settings['batch_size']}"
            )
        if self.replicas > 1 and settings["objective"] != "likelihood":
            raise SettingsError(
                "training.devices: expected one for objective mmd, which needs the whole batch; got all"
            )
        with strategy.scope() if strategy else nullcontext():
            self.optimizer = Adam(self.variables, self.schedule, beta_2=settings["adam_beta_2"])
        self.convolutions = [part for part in model.submodules if isinstance(part, ConvolutionalConditioner)]
        self.xla = settings["xla"]
        if self.xla == "auto":
            self.xla = not self.convolutions or bool(tf.config.list_logical_devices("GPU"))
        self.streamed = train.streamed or strategy is not None
        self._batches = None
        if self.streamed:
            self._gradients_of = tf.function(self._gradients, jit_compile=self.xla)
            self._run = tf.function(self._streamed_steps)
        else:
            self._gradients_of = self._gradients
            self._inputs, self._known = tf.constant(train.inputs), tf.constant(train.targets)
            self._run = tf.function(self._steps, jit_compile=self.xla, reduce_retracing=False)
        self._noise = None if noise is None else tf.constant(noise, model.dtype)
        self._check_gradients()

    def _loss(self, inputs: tf.Tensor, known: tf.Tensor, step: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        progress = tf.cast(step, inputs.dtype) / self.settings["steps"]
        loss = self.objective(inputs, known, progress, tf.stack([self.seed % 2**31, step]))
        penalty = tf.zeros([], loss.dtype)
        if self.settings["l2"]:
            penalty = self.settings["l2"] * tf.add_n([tf.reduce_sum(tf.square(kernel)) for kernel in self.kernels])
        return loss + penalty, loss

    @property
    def _annealing_steps(self) -> int:
        return round(self.settings["sigma_y_anneal_fraction"] * self.settings["steps"]) if self.annealed else 0

    def sigma_y_at(self, step: int) -> float:
        """Return the annealed sigma_y: geometric from `sigma_y_start` to its final value, then constant."""
        share = min(1.0, step / max(self._annealing_steps, 1))
        return self.settings["sigma_y_start"] ** (1.0 - share) * self.final_sigma_y**share

    def _check_gradients(self) -> None:
        if not self.variables:
            raise ModelError("training: expected trainable variables in the flow; got none")
        inputs, known = (tf.constant(values) for values in self.train.floats(slice(0, min(8, len(self.train)))))
        with tf.GradientTape() as tape:
            loss, _ = self._loss(inputs, known, tf.constant(0))
        gradients = tape.gradient(loss, self.variables)
        without = [variable.name for variable, gradient in zip(self.variables, gradients) if gradient is None]
        if without:
            raise ModelError(f"training: expected a gradient for every variable; got none for {', '.join(without)}")

    def _with_noise(self, inputs: tf.Tensor, known: tf.Tensor, step: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Add a fresh e to data without noise, and put it among the inputs where they have an e."""
        if self._noise is not None:
            seed = tf.stack([self.seed % 2**31, step + 1_000_000_007])
            e = tf.random.stateless_normal(tf.shape(known), seed, dtype=known.dtype)
            known += tf.matmul(e, self._noise)
            if self.model.partition.e:
                inputs = tf.concat([inputs[:, : self.model.partition.x], e], axis=1)
        return inputs, self._noisy(known, step)

    def _noisy(self, known: tf.Tensor, step: tf.Tensor) -> tf.Tensor:
        if not self.settings["y_noise"] or not self.model.known_dim:
            return known
        seed = tf.stack([self.seed % 2**31, -2 - step])
        noise = tf.random.stateless_normal(tf.shape(known), seed, dtype=known.dtype)
        return self.model.perturbed(known, self.settings["y_noise"] * noise)

    def _gradients(self, inputs: tf.Tensor, known: tf.Tensor, step: tf.Tensor) -> tuple[tf.Tensor, list[tf.Tensor]]:
        dtype = tf.as_dtype(self.settings["precision"])
        for part in self.convolutions:
            # Read while the step is traced: everything else, and evaluation, computes in the model's own type.
            part.compute_dtype = dtype if dtype != tf.float32 else None
        with tf.GradientTape() as tape:
            loss, plain = self._loss(inputs, known, step)
        gradients = tape.gradient(loss, self.variables)
        for part in self.convolutions:
            part.compute_dtype = None
        return plain, gradients

    def _update(self, inputs: tf.Tensor, known: tf.Tensor, step: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Take one step on a batch; with several replicas each sees its share, and all have the mean gradient."""
        if self.replicas > 1:
            context = tf.distribute.get_replica_context()
            share = inputs.shape[0] // self.replicas
            first = context.replica_id_in_sync_group * share
            inputs, known = inputs[first : first + share], known[first : first + share]
        plain, gradients = self._gradients_of(inputs, known, step)
        if self.replicas > 1:
            plain, *gradients = context.all_reduce(tf.distribute.ReduceOp.MEAN, [plain, *gradients])
        gradients, norm = tf.clip_by_global_norm(gradients, self.settings["gradient_norm"])
        self.optimizer.apply(gradients, step)
        return plain, norm

    def _steps(self, indices: tf.Tensor, start: tf.Tensor, log_sigma: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Take steps on rows that are on the device; compiled as a whole."""
        count = indices.shape[0]
        losses = tf.TensorArray(self.model.dtype, size=count)
        norms = tf.TensorArray(self.model.dtype, size=count)
        for step in tf.range(count):
            rows = indices[step]
            if self.annealed:
                self.model.log_sigma_y.assign(log_sigma[step])
            inputs, known = self._with_noise(tf.gather(self._inputs, rows), tf.gather(self._known, rows), start + step)
            loss, norm = self._update(inputs, known, start + step)
            losses = losses.write(step, loss)
            norms = norms.write(step, norm)
        return losses.stack(), norms.stack()

    def _streamed_steps(self, batches, start: tf.Tensor, log_sigma: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Take steps on batches that an iterator hands over, on one device or on all."""
        count = log_sigma.shape[0]
        losses = tf.TensorArray(self.model.dtype, size=count)
        norms = tf.TensorArray(self.model.dtype, size=count)
        for step in tf.range(count):
            inputs, known = next(batches)
            if self.annealed:
                self.model.log_sigma_y.assign(log_sigma[step])
            batch = (*self._with_noise(inputs, known, start + step), start + step)
            if self.strategy is None:
                loss, norm = self._update(*batch)
            else:
                results = self.strategy.run(self._update, args=batch)
                loss, norm = (self.strategy.experimental_local_results(value)[0] for value in results)
            losses = losses.write(step, loss)
            norms = norms.write(step, norm)
        return losses.stack(), norms.stack()

    def _call(self, step: int, count: int) -> tuple[tf.Tensor, tf.Tensor]:
        sigma = [self.sigma_y_at(step + row) for row in range(count)] if self.annealed else [1.0] * count
        start, log_sigma = tf.constant(step), tf.constant(np.log(sigma), self.model.dtype)
        size = self.settings["batch_size"]
        if not self.streamed:
            return self._run(
                tf.constant(batch_indices(self.seed, step, count, size, len(self.train))), start, log_sigma
            )
        if self._batches is None:
            self._batches = iter(stream(self.train, self.seed, step, self.settings["steps"], size, self.augment))
        return self._run(self._batches, start, log_sigma)

    def validation_loss(self) -> float:
        """Return the objective on the validation split; the mean negative log-likelihood in nats by default."""
        if self.settings["objective"] != "likelihood":
            # MMD costs the square of the rows; the first ones, always the same, with one fixed seed.
            rows = slice(0, 2000)
            inputs, known = (tf.constant(values) for values in self.validation.floats(rows))
            return float(self.objective(inputs, known, tf.ones([], self.model.dtype), tf.constant([self.seed, -1])))
        return -float(log_probs(self.model, self.validation).mean())

    def fit(self) -> TrainingResult:
        """Train to the end or until validation stops improving; the model then has the best weights.

        Raises:
            DivergenceError: a loss is not finite; the last good weights are in `checkpoints/last_good`.
        """
        try:
            return self._fit()
        finally:
            # A pipeline that reads ahead in Python must end before the interpreter does, or it may abort at exit.
            self._batches = None

    def _fit(self) -> TrainingResult:
        settings = self.settings
        state, best = self._resume()
        writer = None
        if settings["tensorboard"] and self.checkpoints:
            writer = tf.summary.create_file_writer(str(self.checkpoints.parent / "tensorboard"))
        clock = saved = time.monotonic()
        longest = 0.0
        stopped_early = bool(settings["patience"]) and state.waited >= settings["patience"]
        compiled = set()
        with Progress(settings["steps"], "train", start=state.step, stream=self.log) as progress:
            while state.step < settings["steps"] and not stopped_early:
                every = settings["validate_every"]
                count = min(settings["steps_per_call"], every - state.step % every, settings["steps"] - state.step)
                call = time.monotonic()
                losses, norms = (value.numpy() for value in self._call(state.step, count))
                if count in compiled:
                    took = time.monotonic() - call
                    state.timed_seconds += took
                    state.timed_steps += count
                    longest = max(longest, took)
                compiled.add(count)
                bad = np.flatnonzero(~(np.isfinite(losses) & np.isfinite(norms)))
                if bad.size:
                    self._diverged(state, state.step + int(bad[0]) + 1, best)
                state.step += count
                state.window_losses += losses.tolist()
                state.window_norms += norms.tolist()
                now = time.monotonic()
                # Early by one call, so that the work at stake stays below the interval.
                due = bool(self.checkpoints) and now - saved + longest >= settings["checkpoint_seconds"]
                if state.step % every and state.step != settings["steps"]:
                    if due:
                        state.seconds += now - clock
                        clock = now
                        self._save(state, best)
                        saved = time.monotonic()
                    continue
                value = self.validation_loss()
                if not math.isfinite(value):
                    self._diverged(state, state.step, best)
                now = time.monotonic()
                state.seconds += now - clock
                clock = now
                row = {
                    "step": state.step,
                    "train_loss": float(np.mean(state.window_losses)),
                    "validation_loss": value,
                    "learning_rate": float(self.schedule(state.step)),
                    "gradient_norm_max": max(state.window_norms),
                    "seconds": round(state.seconds, 3),
                }
                state.window_losses, state.window_norms = [], []
                state.history.append(row)
                # Losses under another sigma_y cannot be compared: until annealing is over the newest counts as best.
                if state.best_step <= self._annealing_steps or value < state.best_loss - settings["min_improvement"]:
                    state.best_loss, state.best_step, state.waited = value, state.step, 0
                    best = self.model.arrays()
                else:
                    state.waited += 1
                    stopped_early = bool(settings["patience"]) and state.waited >= settings["patience"]
                if writer:
                    with writer.as_default(step=state.step):
                        for name in ("train_loss", "validation_loss", "learning_rate"):
                            tf.summary.scalar(name, row[name])
                progress.update(state.step, f"validation loss {value:.4f}")
                if due:
                    self._save(state, best)
                    saved = time.monotonic()
        self.model.assign(best)
        if self.annealed:
            self.model.log_sigma_y.assign(math.log(self.final_sigma_y))
        rate = state.timed_steps / state.timed_seconds if state.timed_seconds else state.step / state.seconds
        # 3 x: the backward pass takes two matrix products for each one of the forward pass.
        gflops = 3e-9 * rate * settings["batch_size"] * self.model.flops_per_example()
        return TrainingResult(
            history=state.history,
            best_step=state.best_step,
            best_validation_loss=state.best_loss,
            steps=state.step,
            stopped_early=stopped_early,
            seconds=state.seconds,
            steps_per_second=rate,
            gflops=gflops,
            peak_memory_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0,
        )

    def _diverged(self, state: _State, step: int, best: dict[str, np.ndarray]) -> None:
        rate = float(self.schedule(step))
        kept = "no weights were good"
        if state.best_step and self.checkpoints:
            self.model.assign(best)
            self.model.save(self.checkpoints / "last_good")
            kept = f"the last good weights (step {state.best_step}) are in {self.checkpoints / 'last_good'}"
        raise DivergenceError(
            f"training: expected a finite loss; got a non-finite one at step {step} (learning rate {rate:.3g}); {kept}. "
            "Try a smaller training.learning_rate or training.gradient_norm, a longer training.warmup_steps, a "
            "smaller flow.log_scale_bound, and look for extreme values in the data"
        )

    def _fingerprint(self) -> str:
        # Only what changes the result: a resumed run may use another checkpoint interval.
        relevant = {
            key: value
            for key, value in self.settings.items()
            if key not in ("checkpoint_seconds", "tensorboard", "devices")
        }
        return sha256_of_json(
            {
                "training": relevant,
                "flow": self.model.settings,
                "seed": self.seed,
                "data": [self.train.fingerprint(), self.validation.fingerprint()],
            }
        )

    def _save(self, state: _State, best: dict[str, np.ndarray]) -> None:
        current, previous = self.checkpoints / "current", self.checkpoints / "previous"
        try:
            self._write(self.checkpoints / "next", state, best)
        except OSError as error:
            # A checkpoint is a safety net: a full disk costs the net, not the run, and the one before stays.
            self._say(f"train: checkpoint at step {state.step} could not be written ({error.strerror}); going on")
            return
        if current.exists():
            # The one before stays, in case the newest turns out to be damaged.
            shutil.rmtree(previous, ignore_errors=True)
            os.rename(current, previous)
        os.rename(self.checkpoints / "next", current)

    def _write(self, path: Path, state: _State, best: dict[str, np.ndarray]) -> None:
        with atomic_directory(path) as folder:
            arrays = {f"model/{key}": value for key, value in self.model.arrays().items()}
            arrays |= {f"best/{key}": value for key, value in best.items()}
            arrays |= {
                f"optimizer/{index:03d}": np.asarray(variable)
                for index, variable in enumerate(self.optimizer.variables)
            }
            write_arrays(folder / "arrays.npz", arrays)
            write_json(
                folder / "state.json",
                {
                    "fingerprint": self._fingerprint(),
                    "arrays_sha256": sha256_of(folder / "arrays.npz"),
                    "state": {**vars(state), "best_loss": None if math.isinf(state.best_loss) else state.best_loss},
                },
            )

    def _resume(self) -> tuple[_State, dict[str, np.ndarray]]:
        for name in ("current", "previous"):
            folder = self.checkpoints / name if self.checkpoints else None
            if folder is None or not folder.exists():
                continue
            try:
                saved = read_json(folder / "state.json")
                if saved["fingerprint"] != self._fingerprint():
                    self._say(f"train: {folder} is of other settings or data; not resumed")
                    continue
                if sha256_of(folder / "arrays.npz") != saved["arrays_sha256"]:
                    raise DataError(f"{folder / 'arrays.npz'}: expected the SHA-256 of its state.json; got another")
                arrays = read_arrays(folder / "arrays.npz")
            except (DataError, KeyError, OSError) as error:
                self._say(f"train: checkpoint left aside as damaged: {error}")
                continue
            parts: dict[str, dict[str, np.ndarray]] = {"model": {}, "best": {}, "optimizer": {}}
            for key, value in arrays.items():
                part, rest = key.split("/", 1)
                parts[part][rest] = value
            self.model.assign(parts["model"])
            for index, variable in enumerate(self.optimizer.variables):
                variable.assign(parts["optimizer"][f"{index:03d}"])
            values = saved["state"]
            values["best_loss"] = math.inf if values["best_loss"] is None else values["best_loss"]
            state = _State(**values)
            self._say(f"train: resumed at step {state.step} from {folder}")
            return state, parts["best"]
        return _State(), self.model.arrays()

    def _say(self, line: str) -> None:
        print(line, file=self.log, flush=True)


def write_history(path: str | Path, history: list[dict[str, float]]) -> None:
    """Write rows of training history as CSV with the columns `HISTORY_COLUMNS`."""
    with atomic_path(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, HISTORY_COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(history)
