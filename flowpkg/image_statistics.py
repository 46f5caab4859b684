"""What a flow says about images, a chunk at a time: densities, latents, and the statistics of anomaly scores."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from scipy.special import logsumexp

from flowpkg.dequantise import dequantise
from flowpkg.diagnostics.classification import fit_temperature
from flowpkg.diagnostics.image_scores import ImageScores, Statistics
from flowpkg.diagnostics.images import bits_per_dim, code_length_bits
from flowpkg.latent_basis import LatentBasis
from flowpkg.seeds import generator

CHUNK = 250


class Encoded(NamedTuple):
    """Latents `z [n, N_z]` and `log_prob [n, K]`: of x under each label, or one column without labels."""

    z: np.ndarray
    log_prob: np.ndarray

    def evidence(self, priors: np.ndarray | None = None) -> np.ndarray:
        """Return log q(x) in nats, `[n]`: over all labels, weighted with their priors."""
        return logsumexp(self.log_prob + (0.0 if priors is None else np.log(priors)), axis=1)


class Described(NamedTuple):
    """Statistics of images, their log-densities `[n, K]`, and their leading latent components `[n, 2]`."""

    statistics: Statistics
    log_prob: np.ndarray
    plane: np.ndarray


class ImageEncoder:
    """Encodes images of whole levels with a trained flow.

    Dequantisation noise comes from the seed and the image's own content, so that what is said about an image
    depends neither on its place among others nor on how many go through the model at a time.

    Args:
        model: a `FlowModel` of images, with or without labels.
        seed: of the dequantisation noise.
        step: distance of grey levels.
        priors: class probabilities `[K]` of a model with labels.
        chunk: images at a time; bounds memory.
    """

    def __init__(self, model, *, seed: int, step: int = 1, priors=None, chunk: int = CHUNK) -> None:
        self.model, self.seed, self.step, self.priors, self.chunk = model, int(seed), int(step), priors, int(chunk)
        self._pass = None

    def __call__(self, levels: np.ndarray) -> Encoded:
        """Encode images `[n, H, W, C]`, all at once."""
        x = self.dequantised(levels)
        classes = self.model.known_dim
        labels = np.eye(max(classes, 1), dtype=np.float32)
        if not self.model.context_dim:
            known = np.tile(labels[0], (len(x), 1)) if classes else np.zeros((len(x), 0), np.float32)
            y, z, log_prob = self._run(x, known)
            if not classes:
                return Encoded(z, log_prob[:, None])
            # y is an output: one pass serves all labels.
            targets = np.asarray(self.model.standardised(labels), np.float64)
            sigma = self.model.sigma_y
            square = ((y[:, None, :] - targets) ** 2).sum(axis=-1)
            return Encoded(z, log_prob[:, None] - 0.5 * (square - square[:, :1]) / sigma**2)
        passes = [self._run(x, np.tile(label, (len(x), 1)))[1:] for label in labels]
        log_prob = np.stack([found[1] for found in passes], axis=1)
        best = (log_prob + (0.0 if self.priors is None else np.log(self.priors))).argmax(axis=1)
        z = np.stack([found[0] for found in passes])[best, np.arange(len(x))]
        return Encoded(z, log_prob)

    def dequantised(self, levels: np.ndarray) -> np.ndarray:
        """Return images `[n, H, W, C]` with noise within their levels, float32 `[n, N]`."""
        rows = [
            dequantise(
                image[None], generator(self.seed, "dequantise", zlib.crc32(np.ascontiguousarray(image))), self.step
            )
            for image in levels
        ]
        return np.concatenate(rows).astype(np.float32)

    def chunks(self, levels: np.ndarray) -> Iterator[tuple[np.ndarray, Encoded]]:
        """Yield images, read into memory, with what the model says about them."""
        for start in range(0, len(levels), self.chunk):
            block = np.asarray(levels[start : start + self.chunk])
            yield block, self(block)

    def describe(self, levels: np.ndarray, basis: LatentBasis) -> Described:
        """Return the statistics of images `[n, H, W, C]`; memory does not grow with their number but for these."""
        parts, log_prob, plane = [], [], []
        for block, encoded in self.chunks(levels):
            nll = -encoded.evidence(self.priors)
            parts.append(Statistics(nll, code_length_bits(block), basis.statistics(encoded.z)))
            log_prob.append(encoded.log_prob)
            plane.append(basis.components(encoded.z, min(2, basis.count)))
        return Described(Statistics.joined(parts), np.concatenate(log_prob), np.concatenate(plane))

    def _run(self, x, known):
        if self._pass is None:
            self._pass = _compiled(self.model)
        return tuple(np.asarray(part, np.float64) for part in self._pass(x, known))


def _compiled(model):
    """Return one graph for latents and density together; `FlowModel.encode` and `log_prob` would run the flow twice."""
    import tensorflow as tf

    cut = model.partition
    specs = [tf.TensorSpec([None, cut.dim], model.dtype), tf.TensorSpec([None, model.known_dim], model.dtype)]

    @tf.function(input_signature=specs)
    def encode(x, known):
        known = model.standardised(known)
        outputs, log_det = model.bijector.inverse_and_log_det(x, known if model.context_dim else None)
        y, z = outputs[:, : cut.y], outputs[:, cut.y :]
        log_prob = log_det - 0.5 * tf.reduce_sum(tf.square(z), axis=-1) - 0.5 * cut.dim * math.log(2.0 * math.pi)
        if cut.y:
            square = tf.reduce_sum(tf.square((y - known) * tf.exp(-model.log_sigma_y)), axis=-1)
            log_prob -= 0.5 * square + cut.y * model.log_sigma_y
        return y, z, log_prob

    return encode


def principal_directions(model) -> np.ndarray | None:
    """Return the directions `[N_z, k]` along which the model's latents varied most before its whitening.

    None without a whitening, or where it found fewer than two directions wider than a standard normal.
    """
    for layer in model.bijector.layers:
        if layer.name.startswith("latent_whitening"):
            log_factor = np.asarray(layer.log_factor, np.float64)
            order = [index for index in np.argsort(-log_factor, kind="stable") if log_factor[index] > 0]
            if len(order) >= 2:
                return np.asarray(layer.basis)[layer.skip :, order]
    return None


def fit_scores(
    model,
    train: np.ndarray,
    validation: np.ndarray,
    *,
    seed: int,
    step: int = 1,
    priors=None,
    validation_label=None,
    components: int = 256,
) -> dict[str, np.ndarray]:
    """Fit what new images are compared with, on training and validation images alone.

    Args:
        model: the trained flow.
        train, validation: images `[n, H, W, C]` of levels; the first 10,000 training images, fewer where
            their latents would not fit into some 200 MB.
        seed: the run's seed.
        step: distance of grey levels.
        priors: class probabilities of a model with labels.
        validation_label: labels of the validation images, whole numbers, for such a model.
        components: principal components of the latents.

    Returns:
        Arrays for `training_scores.npz`: those of `ImageScores` and `LatentBasis`, bits per dimension of both
        splits with standard errors, quantiles of log-densities, step, priors and the temperature of labels.
    """
    dim = model.partition.dim
    encoder = ImageEncoder(model, seed=seed, step=step, priors=priors)
    kept = min(len(train), 10_000, max(500, 50_000_000 // dim))
    latent, nll, code_bits = np.empty((kept, model.partition.z), np.float32), np.empty(kept), np.empty(kept)
    place = 0
    for block, encoded in encoder.chunks(train[:kept]):
        rows = slice(place, place + len(block))
        latent[rows], nll[rows], code_bits[rows] = encoded.z, -encoded.evidence(priors), code_length_bits(block)
        place += len(block)
    directions = principal_directions(model)
    basis = LatentBasis.fit(latent, components, generator(seed, "latent components"), directions=directions)
    statistics = np.concatenate([basis.statistics(latent[i : i + CHUNK]) for i in range(0, kept, CHUNK)])
    fitted = Statistics(nll, code_bits, statistics)
    described = encoder.describe(validation, basis)
    checked = described.statistics
    scores = ImageScores.fit(fitted, checked)
    arrays = basis.to_arrays() | scores.to_arrays()
    for name, found in (("train", fitted), ("validation", checked)):
        bits = bits_per_dim(-found.nll, dim, step)
        arrays |= {
            f"bits_per_dim_{name}": np.array(bits.value),
            f"bits_per_dim_{name}_se": np.array(bits.standard_error),
        }
    arrays["log_prob_quantiles"] = np.quantile(-nll, np.linspace(0.0, 1.0, 1001))
    arrays["step"] = np.array(step)
    if priors is not None:
        arrays["priors"] = np.asarray(priors, np.float64)
        logit = described.log_prob + np.log(arrays["priors"])
        arrays["label_temperature"] = np.array(fit_temperature(logit, validation_label))
    return arrays
