"""What the trainer reads: splits in memory, and splits streamed from disk batch by batch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import tensorflow as tf

from flowpkg.bijectors import LatentWhitening
from flowpkg.dequantise import dequantise
from flowpkg.errors import DataError
from flowpkg.model import FlowModel
from flowpkg.seeds import generator, tensorflow_seed


@dataclass
class Dataset:
    """One split: parts of the inputs (x, or x and e) and targets `[n, dim y]`, row by row.

    Args:
        parts: arrays `[n, width]`, or one array `[n, H, W, C]` of uint8 images; may be memory maps.
        known: targets `[n, dim y]`.
        dtype: floating type of the model.
        streamed: read batches from the parts instead of holding all inputs as floats.
        level_step: distance of the grey levels of images, the width of their dequantisation noise.
    """

    parts: tuple[np.ndarray, ...]
    known: np.ndarray
    dtype: Any
    streamed: bool = False
    level_step: int = 1

    @classmethod
    def of(cls, model: FlowModel, x, e=None, y=None, *, memory_mb: float = 2000, level_step: int = 1) -> Dataset:
        """Join the parts of a split in the order of the model's partition.

        Args:
            model: the flow that the data are for.
            x: `[n, dim x]`, or uint8 images `[n, H, W, C]` for an image flow.
            e, y: `[n, dim e]` and `[n, dim y]` where the model has them.
            memory_mb: inputs and targets above this size are streamed; images always are.
            level_step: as the class.

        Raises:
            DataError: widths that do not fit the model.
        """
        parts = tuple(part if isinstance(part, np.ndarray) else np.asarray(part) for part in (x, e) if part is not None)
        images = model.image_shape is not None
        if images and (len(parts) > 1 or parts[0].dtype != np.uint8 or parts[0].shape[1:] != model.image_shape):
            raise DataError(
                f"training data: expected uint8 images of shape {model.image_shape}; "
                f"got {parts[0].dtype} of shape {parts[0].shape[1:]}"
            )
        known = np.zeros((len(parts[0]), 0), model.dtype.as_numpy_dtype) if y is None else np.asanyarray(y)
        width = sum(int(np.prod(part.shape[1:])) for part in parts)
        if width != model.partition.dim or known.shape[1] != model.known_dim:
            raise DataError(
                f"training data: expected widths {model.partition.dim} and {model.known_dim} (inputs, targets); "
                f"got {width} and {known.shape[1]}"
            )
        dtype = np.dtype(model.dtype.as_numpy_dtype)
        size_mb = (width + known.shape[1]) * len(known) * dtype.itemsize / 1e6
        return cls(parts, known, dtype, images or size_mb > memory_mb, level_step)

    def __len__(self) -> int:
        return len(self.known)

    @property
    def images(self) -> bool:
        """Whether inputs are 8-bit images, which need dequantising."""
        return self.parts[0].ndim == 4

    @cached_property
    def inputs(self) -> np.ndarray:
        """All joined inputs as floats, `[n, N]`; for a split in memory."""
        return self.read(slice(None))[0]

    @cached_property
    def targets(self) -> np.ndarray:
        """All targets as floats, `[n, dim y]`; for a split in memory."""
        return np.asarray(self.known, self.dtype)

    def read(self, rows) -> tuple[np.ndarray, np.ndarray]:
        """Return inputs and targets of some rows: floats `[n, N]`, or uint8 `[n, H, W, C]` for images."""
        parts = [np.asarray(_fresh(part)[rows]) for part in self.parts]
        inputs = parts[0] if self.images else np.concatenate(parts, axis=1).astype(self.dtype)
        return inputs, np.asarray(_fresh(self.known)[rows], self.dtype)

    def floats(self, rows: slice, purpose: str = "evaluation noise") -> tuple[np.ndarray, np.ndarray]:
        """Return inputs `[n, N]` and targets of a slice of rows, images with the same noise each time."""
        if not self.images:
            return (self.read(rows)) if self.streamed else (self.inputs[rows], self.targets[rows])
        images, known = self.read(rows)
        noise = generator(0, purpose, rows.start or 0)
        return dequantise(images, noise, self.level_step).astype(self.dtype), known

    def fingerprint(self) -> list[Any]:
        """Return numbers that tell this split from another."""
        if self.streamed:
            rows = np.unique(np.linspace(0, len(self) - 1, 2000).astype(int))
            inputs, known = self.read(rows)
        else:
            inputs, known = self.inputs, self.targets
        return [len(self), float(np.sum(inputs, dtype=np.float64)), float(np.sum(known, dtype=np.float64))]


def _fresh(array: np.ndarray) -> np.ndarray:
    """Map a memory map anew: pages read through the old one count as memory of this process until it goes."""
    if isinstance(array, np.memmap) and array.base is not None and not isinstance(array.base, np.memmap):
        return np.memmap(array.filename, array.dtype, "r", array.offset, array.shape, "C")
    return array


def batch_indices(seed: int, step: int, count: int, batch_size: int, rows: int) -> np.ndarray:
    """Return which rows the batches of steps `step .. step + count - 1` hold, as `[count, batch_size]`.

    Each epoch is a permutation of its own that depends on the seed and the epoch only, so a resumed run sees
    the batches that the undisturbed one saw. The ragged rest of an epoch is dropped.
    """
    per_epoch = rows // batch_size
    out = np.empty((count, batch_size), np.int32)
    for row in range(count):
        order = _order(seed, (step + row) // per_epoch, rows)
        position = ((step + row) % per_epoch) * batch_size
        out[row] = order[position : position + batch_size]
    return out


@lru_cache(maxsize=2)
def _order(seed: int, epoch: int, rows: int) -> np.ndarray:
    return generator(seed, "shuffle", epoch).permutation(rows)


def stream(data: Dataset, seed: int, start: int, steps: int, batch_size: int, augment=None) -> tf.data.Dataset:
    """Return the batches of steps `start .. steps - 1`, `([batch, N], [batch, dim y])`, read ahead of their use.

    The same batches, in the same order and with the same noise, however often a run is resumed: each depends on
    the seed and its step only. Memory holds a few batches, whatever the size of the split.

    Args:
        data: the training split.
        seed: the run's seed.
        start: first step.
        steps: steps of the whole run.
        batch_size: rows of a batch.
        augment: changes images `[b, H, W, C]`, float32 levels, given a seed `[2]`; None leaves them.
    """

    def read() -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        for step in range(start, steps):
            yield step, *data.read(batch_indices(seed, step, 1, batch_size, len(data))[0])

    inputs, known = data.read(slice(0, 1))
    signature = (
        tf.TensorSpec([], tf.int32),
        tf.TensorSpec([batch_size, *inputs.shape[1:]], inputs.dtype),
        tf.TensorSpec([batch_size, known.shape[1]], known.dtype),
    )
    noise_seed, augment_seed = (tensorflow_seed(seed, purpose)[0] for purpose in ("noise", "augment"))

    def prepared(step, inputs, known):
        if not data.images:
            return inputs, known
        levels = tf.cast(inputs, tf.float32)
        if augment is not None:
            levels = augment(levels, tf.stack([augment_seed, step]))
            if data.level_step > 1:
                levels = data.level_step * tf.round(levels / data.level_step)
        noise = tf.random.stateless_uniform(tf.shape(levels), seed=tf.stack([noise_seed, step]))
        above = tf.math.nextafter(levels + float(data.level_step), tf.zeros([]))
        x = tf.minimum(levels + data.level_step * noise, above)
        return tf.cast(tf.reshape(x, [batch_size, -1]), data.dtype), known

    batches = tf.data.Dataset.from_generator(read, output_signature=signature)
    # One batch at a time: results do not depend on it, and on few cores more workers only fight the training.
    return batches.map(prepared, num_parallel_calls=1).prefetch(4)


def log_probs(model: FlowModel, data: Dataset, limit: int | None = None) -> np.ndarray:
    """Return the log-densities of the first `limit` rows of a split in nats, `[n]` float64; all rows for None."""
    return np.concatenate(
        [
            model._log_prob(tf.constant(inputs), tf.constant(known)).numpy().astype(np.float64)
            for inputs, known in _chunks(data, limit)
        ]
    )


def fit_whitening(model: FlowModel, train: Dataset, validation: Dataset, *, limit: int = 8192) -> float:
    """Fit the whitening layer of a trained image flow, if it has one, on latents of training images.

    Args:
        model: the trained flow; its last layer is changed.
        train: split whose latents it is fitted on, at most `limit` of them.
        validation: split that decides which directions count.

    Returns:
        The gain of the mean log-density of validation images, in nats; 0.0 without such a layer.
    """
    layer = model.bijector.layers[-1]
    if not isinstance(layer, LatentWhitening):
        return 0.0
    latents = [
        np.concatenate(
            [
                np.concatenate([part.numpy() for part in model._encode(tf.constant(inputs), tf.constant(known))], 1)
                for inputs, known in _chunks(data, limit)
            ]
        )[:, -model.partition.dim :]
        for data in (train, validation)
    ]
    return layer.fit(*latents)


def _chunks(data: Dataset, limit: int | None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield floats and targets of some rows at a time; convolutions hold some hundred numbers for each pixel."""
    count = len(data) if limit is None else min(limit, len(data))
    width = sum(int(np.prod(part.shape[1:])) for part in data.parts)
    size = max(1, 2**20 // width) if data.images else 16384
    for start in range(0, count, size):
        yield data.floats(slice(start, min(start + size, count)))
