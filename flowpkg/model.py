"""`FlowModel`: one invertible model with exact densities, cut by a `Partition`."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
from scipy.special import logsumexp, softmax

from flowpkg.bijectors import Sequential, Standardise
from flowpkg.bijectors.base import times
from flowpkg.errors import DataError, ModelError, SettingsError
from flowpkg.files import sha256_of, write_arrays, write_json
from flowpkg.model_files import FORMAT, FORMAT_VERSION, read_model_files
from flowpkg.partition import Partition, check_priors


class Inputs(NamedTuple):
    """The input side of a flow: `x [n, dim x]` and `e [n, dim e]`."""

    x: tf.Tensor
    e: tf.Tensor


class Outputs(NamedTuple):
    """The output side of a flow: `y [n, dim y]` and `z [n, dim z]`."""

    y: tf.Tensor
    z: tf.Tensor


class FlowModel(tf.Module):
    """An invertible model of inputs `[x | e]` and outputs `[y | z]`.

        encode: [x | e] -> [y | z]        decode: [y | z] -> [x | e]
        log_prob(x, e | y) = log N(t(y_out); t(y), sigma_y^2 I) + log N(z; 0, I) + log|det d[t(y)|z]/d[x|e]|

    t standardises y with the statistics of the training split. With y empty this is the plain normalizing flow.
    With `context_dim` it is a conditional flow, `x <-> z given y`, whose conditioners see t(y); y is then no
    part of the outputs and the partition's y is 0:

        log_prob(x, e | y) = log N(z; 0, I) + log|det dz/d[x|e]|

    All methods are the same for both. All arrays are batches, `[n, width]`; anything that
    `tf.convert_to_tensor` takes is accepted, in the units of the data.

    Args:
        partition: dimensions of the four parts.
        bijector: map of `[N]` vectors; its `forward` is decode, its `inverse` is encode.
        settings: the `flow` settings it was built from, kept to rebuild it on loading.
        names: names of the x columns; by default `x1`, `x2`, ...
        sigma_y: standard deviation of the target density around y, in standardised units of y.
        learn_sigma_y: train sigma_y along with the flow; it stays above 1e-3.
        context_dim: width of y for a conditional flow; 0 for an invertible one.
        standardise_y: fixed standardisation t of y; the identity by default.
        y_names: names of the y columns; by default `y1`, `y2`, ...
        problem: settings of the problem that the model was trained for, kept so that new data can be
            re-simulated and labels named; None if unknown.
        image_shape: `(H, W, C)` if x is a flattened image of dequantised pixel values in [0, 256).

    Source: Dinh et al. 2017, arXiv:1605.08803; partition after Ardizzone et al. 2019, arXiv:1808.04730.
    """

    def __init__(
        self,
        partition: Partition,
        bijector: Sequential,
        *,
        settings: Mapping[str, Any],
        names: list[str] | None = None,
        sigma_y: float = 0.1,
        learn_sigma_y: bool = False,
        context_dim: int = 0,
        standardise_y: Standardise | Sequential | None = None,
        y_names: list[str] | None = None,
        problem: Mapping[str, Any] | None = None,
        image_shape: tuple[int, int, int] | None = None,
    ) -> None:
        super().__init__(name="flow_model")
        self._image_sizes = tf.TensorShape(image_shape)
        if context_dim and partition.y:
            raise SettingsError(
                f"partition: expected y = 0 for a conditional flow, whose y is context; got y = {partition.y}"
            )
        self.partition = partition
        self.bijector = bijector
        self.context_dim = int(context_dim)
        self.y_names = list(y_names) if y_names else [f"y{index + 1}" for index in range(self.known_dim)]
        self._problem_text = json.dumps(dict(problem)) if problem else ""
        # As text: tf.Module would wrap a dict in a type that json cannot write.
        self._settings_text = json.dumps(dict(settings))
        # Pixels have no names.
        self.names = list(names) if names else [f"x{index + 1}" for index in range(0 if image_shape else partition.x)]
        dtype = bijector.dtype
        self.standardise_y, self.log_sigma_y = None, None
        if self.known_dim:
            self.standardise_y = standardise_y or Standardise(
                np.zeros(self.known_dim), np.eye(self.known_dim), dtype=dtype, name="standardise_y"
            )
        if partition.y:
            self.log_sigma_y = tf.Variable(math.log(sigma_y), trainable=learn_sigma_y, dtype=dtype, name="log_sigma_y")
        wide = tf.TensorSpec([None, partition.dim], dtype)
        known = tf.TensorSpec([None, self.known_dim], dtype)
        latent = tf.TensorSpec([None, partition.z], dtype)
        self._encode = tf.function(self._encode_joined, input_signature=[wide, known])
        self._decode = tf.function(self._decode_parts, input_signature=[known, latent])
        self._log_prob = tf.function(self.log_prob_of_inputs, input_signature=[wide, known])
        # Fixed shapes: XLA compiles this once for each size of chunk.
        self._decode_compiled = tf.function(self._decode_parts, jit_compile=True)

    @property
    def known_dim(self) -> int:
        """Width of y, be it output or context."""
        return self.partition.y or self.context_dim

    @property
    def sigma_y(self) -> float:
        """Standard deviation of the target density around y, in standardised units."""
        return float(tf.exp(self.log_sigma_y)) if self.log_sigma_y is not None else math.nan

    @property
    def problem(self) -> dict[str, Any] | None:
        """Settings of the problem that the model was trained for, if known."""
        return json.loads(self._problem_text) if self._problem_text else None

    @property
    def settings(self) -> dict[str, Any]:
        """The `flow` settings that the model was built from."""
        return json.loads(self._settings_text)

    @property
    def image_shape(self) -> tuple[int, int, int] | None:
        """`(H, W, C)` if x is a flattened image, else None."""
        return tuple(self._image_sizes.as_list()) if self._image_sizes.rank else None

    @property
    def dtype(self) -> tf.DType:
        """Floating type of all tensors."""
        return self.bijector.dtype

    def distribution(self) -> tfp.distributions.TransformedDistribution:
        """Return the flow as a TFP distribution over `[x | e]`, for a partition without y.

        Raises:
            ModelError: the partition has a y; its density is conditional, see `log_prob`.
        """
        if self.known_dim:
            raise ModelError(f"distribution: expected a partition without y; got dim y = {self.known_dim}")
        base = tfp.distributions.MultivariateNormalDiag(loc=tf.zeros([self.partition.dim], self.dtype))
        return tfp.distributions.TransformedDistribution(base, self.bijector)

    def encode(self, x, e=None, y=None) -> Outputs:
        """Map inputs to outputs.

        Args:
            x: `[n, dim x]`.
            e: `[n, dim e]`; needed if the partition has an e.
            y: `[n, dim y]`; needed by a conditional flow, ignored by an invertible one.

        Returns:
            `Outputs(y [n, dim y], z [n, dim z])`; a conditional flow hands back the y it was given.

        Raises:
            DataError: a width does not fit the partition.
        """
        inputs = self._join({"x": x, "e": e})
        known = self._known(y) if self.context_dim else self._no_known(inputs)
        return Outputs(*self._encode(inputs, known))

    def decode(self, z, y=None) -> Inputs:
        """Map outputs to inputs.

        Args:
            z: `[n, dim z]`.
            y: `[n, dim y]`; needed if the model has a y.

        Raises:
            DataError: a width does not fit the partition.
        """
        latent = self._part("z", z, self.partition.z)
        known = self._known(y) if self.known_dim else self._no_known(latent)
        return Inputs(*self._decode(known, latent))

    def predict(self, x, e=None):
        """Return the y part of encode, `[n, dim y]`: what the model believes would be observed for x.

        Args:
            x: `[n, dim x]`.
            e: `[n, dim e]`; zeros, its mean, by default.

        Raises:
            ModelError: the model has no y among its outputs.
        """
        if not self.partition.y:
            raise ModelError("predict: expected a model with y among its outputs; got none (or a conditional flow)")
        if e is None and self.partition.e:
            e = np.zeros((len(x), self.partition.e))
        return self.encode(x, e).y

    def log_prob(self, x, e=None, y=None) -> tf.Tensor:
        """Return the log-density of inputs in nats, given y where the model has one.

        Args:
            x: `[n, dim x]`.
            e: `[n, dim e]`; needed if the partition has an e.
            y: `[n, dim y]`; needed if the model has a y.

        Returns:
            `[n]`.
        """
        inputs = self._join({"x": x, "e": e})
        return self._log_prob(inputs, self._known(y) if self.known_dim else self._no_known(inputs))

    def log_prob_of_inputs(self, inputs: tf.Tensor, known: tf.Tensor) -> tf.Tensor:
        """Return `log_prob` of joined inputs `[n, N]` and targets `[n, dim y]`; plain ops, for use in training."""
        known = self.standardised(known)
        outputs, log_det = self.bijector.inverse_and_log_det(inputs, known if self.context_dim else None)
        if self.partition.y:
            residual = (outputs[..., : self.partition.y] - known) * tf.exp(-self.log_sigma_y)
            outputs = tf.concat([residual, outputs[..., self.partition.y :]], axis=-1)
            log_det -= self.partition.y * self.log_sigma_y
        norm = 0.5 * self.partition.dim * math.log(2.0 * math.pi)
        return log_det - 0.5 * tf.reduce_sum(tf.square(outputs), axis=-1) - norm

    def standardised(self, known: tf.Tensor) -> tf.Tensor:
        """Return t(y) of `[n, dim y]`; plain ops."""
        return self.standardise_y.inverse_and_log_det(known)[0] if self.known_dim else known

    def perturbed(self, known: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
        """Return `[n, dim y]` with noise added in standardised units; plain ops."""
        if isinstance(self.standardise_y, Standardise):
            return known + times(noise, self.standardise_y.scale)
        return self.standardise_y.forward_and_log_det(self.standardised(known) + noise)[0]

    def sample(self, n: int, *, temperature: float = 1.0, y=None, seed=(0, 0)) -> Inputs:
        """Draw inputs by decoding normal latents: exact draws from the density that `log_prob` gives.

        With y among the outputs that density has y_out ~ N(t(y), sigma_y^2), so y_out is drawn as well. For
        labels this matters: which padding e went into y_out says where in its mode x lies. `posterior` fixes y
        instead, as an observation is.

        Args:
            n: number of samples.
            temperature: standard deviation of the latents; below 1 samples keep closer to the mode.
            y: `[dim y]` or `[n, dim y]`, or a whole number for a class label, which stands for its one-hot
                vector; needed if the model has a y.
            seed: two integers; the same seed gives the same samples.

        Returns:
            `Inputs(x [n, dim x], e [n, dim e])`.
        """
        z = temperature * tf.random.stateless_normal([n, self.partition.z], seed=seed, dtype=self.dtype)
        if self.known_dim and y is not None:
            y = self._one_hot(y) if isinstance(y, (int, np.integer)) else np.asarray(y)
            y = tf.broadcast_to(tf.cast(y, self.dtype), [n, self.known_dim])
            if self.partition.y:
                seed = (int(seed[0]), int(seed[1]) + 1_000_003)
                noise = tf.random.stateless_normal([n, self.partition.y], seed=seed, dtype=self.dtype)
                target = self.standardised(y) + temperature * tf.exp(self.log_sigma_y) * noise
                y = self.standardise_y.forward_and_log_det(target)[0]
        return self.decode(z, y)

    def posterior(self, y, n: int, *, seed=(0, 0), chunk: int = 65_536) -> np.ndarray:
        """Draw x from its posterior given each observation: fix y, draw z, decode, drop e.

        Args:
            y: `[m, dim y]` observations.
            n: samples for each.
            seed: two integers; the same seed gives the same samples.
            chunk: rows decoded at a time; bounds memory.

        Returns:
            `[m, n, dim x]`.

        Raises:
            ModelError: the model has no y.
            DataError: y has another width or holds NaN or infinity; the message names the row.
        """
        if not self.known_dim:
            raise ModelError("posterior: expected a model that knows a y; got one without")
        y = self._known(y).numpy()
        bad = np.flatnonzero(~np.isfinite(self.standardised(tf.constant(y))).all(axis=1))
        if bad.size:
            wrong = "NaN, infinity or another sign" if self.settings.get("log_y") else "NaN or infinity"
            raise DataError(f"y: expected finite numbers as in training; got {wrong} in row {bad[0] + 1}")
        total = len(y) * n
        chunk = max(1, min(chunk, total))
        out = np.empty((total, self.partition.x), self.dtype.as_numpy_dtype)
        for index, start in enumerate(range(0, total, chunk)):
            # The last chunk is filled up, so that every call has one shape and is compiled once.
            rows = np.minimum(np.arange(start, start + chunk), total - 1) // n
            z = tf.random.stateless_normal(
                [chunk, self.partition.z], seed=(int(seed[0]), int(seed[1]) + index), dtype=self.dtype
            )
            x = self._decode_compiled(tf.constant(y[rows]), z)[0].numpy()
            out[start : start + chunk] = x[: total - start]
        return out.reshape(len(y), n, self.partition.x)

    def label_log_prob(self, x, *, draws: int = 64, seed=(0, 0)) -> np.ndarray:
        """Return log q(x | label k) in nats for every class label, `[n, K]`.

        Padding e is integrated out by importance sampling from its own distribution,

            q(x | k) = E_{e ~ N(0, I)} [ q(x, e | k) / N(e; 0, I) ],

        unbiased for the density; the logarithm is low by at most half the relative variance over `draws`.

        Args:
            x: `[n, dim x]`.
            draws: draws of e for each point; one is used if there is no e.
            seed: of these draws.
        """
        x = self._part("x", x, self.partition.x).numpy()
        classes, width = self.known_dim, self.partition.e
        draws = draws if width else 1
        e = tf.random.stateless_normal([draws, width], seed=seed, dtype=self.dtype).numpy()
        base = -0.5 * (e**2).sum(axis=1) - 0.5 * width * math.log(2.0 * math.pi)
        out = np.empty((len(x), classes))
        # Fewer rows where they are wide: an image flow holds some hundred numbers for each pixel.
        size = max(1, min(131_072 // draws, 2**20 // self.partition.dim))
        identity = np.eye(classes, dtype=x.dtype)
        labels = self.standardised(tf.constant(identity)).numpy()
        for start in range(0, len(x), size):
            rows = x[start : start + size]
            inputs = np.concatenate([np.repeat(rows, draws, 0), np.tile(e, (len(rows), 1))], axis=1)
            if self.context_dim:
                columns = [self._log_prob(inputs, np.tile(row, (len(inputs), 1))).numpy() for row in identity]
                joint = np.stack(columns, axis=-1)
            else:
                first = np.tile(identity[0], (len(inputs), 1))
                shared = self._log_prob(inputs, first).numpy().astype(np.float64)
                found = self.standardised(self._encode(inputs, first)[0]).numpy().astype(np.float64)
                square = ((found[:, None, :] - labels) ** 2).sum(axis=-1)
                joint = shared[:, None] - 0.5 * (square - square[:, :1]) / self.sigma_y**2
            joint = joint.reshape(len(rows), draws, classes) - base[:, None]
            out[start : start + size] = logsumexp(joint, axis=1) - math.log(draws)
        return out

    def classify(self, x, *, priors=None, draws: int = 64, seed=(0, 0)) -> np.ndarray:
        """Return posterior class probabilities by Bayes' rule, `[n, K]`.

            p(k | x) = priors_k q(x | k) / sum_j priors_j q(x | j)

        Args:
            x: `[n, dim x]`.
            priors: `[K]` class probabilities before x is seen, adding up to one; equal by default.
            draws, seed: as `label_log_prob`.

        Raises:
            ModelError: the model has no y.
            DataError: priors of another length, negative, or not adding up to one.
        """
        if not self.known_dim:
            raise ModelError("classify: expected a model with class labels as y; got one without y")
        return softmax(
            self.label_log_prob(x, draws=draws, seed=seed) + np.log(check_priors(priors, self.known_dim)), axis=1
        )

    def flops_per_example(self) -> int:
        """Floating-point operations of one encode of one example, products of trained kernels only."""
        return self.bijector.flops()

    def save(self, folder: str | Path) -> None:
        """Write `weights.npz` and `architecture.json` into a folder.

        The format is plain: an NPZ archive of arrays (no pickle), and JSON that names the format, its version,
        the partition, the settings, and every array with its shape, type and whether it is trained. The
        SHA-256 of the weights is in the JSON, so that a damaged file is recognised.

        Args:
            folder: made if it does not exist.
        """
        folder = Path(folder)
        arrays = {key: variable.numpy() for key, variable in self._named_variables().items()}
        write_arrays(folder / "weights.npz", arrays)
        trained = {id(variable) for variable in self.trainable_variables}
        write_json(
            folder / "architecture.json",
            {
                "format": FORMAT,
                "format_version": FORMAT_VERSION,
                "partition": self.partition.to_dict(),
                "flow": self.settings,
                "names": self.names,
                "sigma_y": self.sigma_y if self.partition.y else None,
                "context_dim": self.context_dim,
                "y_names": self.y_names,
                "problem": self.problem,
                "image_shape": list(self.image_shape) if self.image_shape else None,
                "weights_sha256": sha256_of(folder / "weights.npz"),
                "arrays": {
                    key: {
                        "shape": list(variable.shape),
                        "dtype": variable.dtype.name,
                        "trained": id(variable) in trained,
                    }
                    for key, variable in self._named_variables().items()
                },
            },
        )

    @classmethod
    def load(cls, folder: str | Path) -> FlowModel:
        """Rebuild a model that `save` wrote; its `log_prob` is the same to the last bit.

        Raises:
            ModelError: a file is missing, damaged, of another format, or the arrays do not fit the settings.
        """
        from flowpkg.flows import build_flow

        architecture, arrays = read_model_files(folder)
        model = build_flow(
            architecture["flow"],
            Partition(**architecture["partition"]),
            names=architecture["names"],
            # Absent from files of the first weeks, which had no y.
            context_dim=architecture.get("context_dim", 0),
            y_names=architecture.get("y_names"),
            problem=architecture.get("problem"),
            image_shape=architecture.get("image_shape"),
        )
        model.assign(arrays, source=str(Path(folder) / "weights.npz"))
        return model

    def arrays(self) -> dict[str, np.ndarray]:
        """Return every variable as an array, under the names used in `weights.npz`."""
        return {key: variable.numpy() for key, variable in self._named_variables().items()}

    def assign(self, arrays: Mapping[str, np.ndarray], *, source: str = "arrays") -> None:
        """Set every variable from arrays named as in `weights.npz`.

        Raises:
            ModelError: a name is missing or unknown, or a shape differs.
        """
        variables = self._named_variables()
        for key in sorted(set(variables) ^ set(arrays)):
            state = "is missing" if key in variables else "is unknown"
            raise ModelError(f"{source}: expected the arrays of this architecture; {key} {state}")
        for key, variable in variables.items():
            if tuple(variable.shape) != arrays[key].shape:
                raise ModelError(f"{source}: {key}: expected shape {tuple(variable.shape)}; got {arrays[key].shape}")
            variable.assign(arrays[key])

    def _encode_joined(self, inputs, known):
        outputs, _ = self.bijector.inverse_and_log_det(inputs, self.standardised(known) if self.context_dim else None)
        y, z = tf.split(outputs, [self.partition.y, self.partition.z], axis=-1)
        if self.partition.y:
            return self.standardise_y.forward_and_log_det(y)[0], z
        return (known, z) if self.context_dim else (y, z)

    def _decode_parts(self, known, z):
        known = self.standardised(known)
        outputs = z if self.context_dim else tf.concat([known, z], axis=-1)
        inputs, _ = self.bijector.forward_and_log_det(outputs, known if self.context_dim else None)
        return tf.split(inputs, [self.partition.x, self.partition.e], axis=-1)

    def _named_variables(self) -> dict[str, tf.Variable]:
        named = {}
        for index, layer in enumerate(self.bijector.layers):
            for position, variable in enumerate(layer.variables):
                label = variable.name.split(":")[0]
                named[f"layer_{index:02d}_{layer.name}/{position:02d}_{label}"] = variable
        if self.standardise_y is not None:
            for variable in self.standardise_y.variables:
                named[f"standardise_y/{variable.name.split(':')[0]}"] = variable
        if self.log_sigma_y is not None:
            named["log_sigma_y"] = self.log_sigma_y
        return named

    def _known(self, value) -> tf.Tensor:
        return self._part("y", value, self.known_dim)

    def _no_known(self, like: tf.Tensor) -> tf.Tensor:
        return tf.zeros([tf.shape(like)[0], self.known_dim], self.dtype)

    def _one_hot(self, label: int) -> np.ndarray:
        if not 0 <= label < self.known_dim:
            raise DataError(f"y: expected a label from 0 to {self.known_dim - 1}; got {label}")
        return np.eye(self.known_dim)[label]

    def _part(self, name: str, value, width: int) -> tf.Tensor:
        if value is None:
            raise DataError(f"{name}: expected an array [n, {width}]; got none")
        value = tf.convert_to_tensor(np.asarray(value) if not tf.is_tensor(value) else value)
        value = tf.cast(value, self.dtype)
        if value.shape.rank != 2 or value.shape[-1] != width:
            raise DataError(f"{name}: expected an array [n, {width}]; got shape {tuple(value.shape)}")
        return value

    def _join(self, parts: Mapping[str, Any]) -> tf.Tensor:
        widths = {name: getattr(self.partition, name) for name in parts}
        present = [self._part(name, value, widths[name]) for name, value in parts.items() if widths[name]]
        for name, value in parts.items():
            if value is not None and not widths[name] and np.shape(value)[-1]:
                raise DataError(f"{name}: expected none, because this model has dim {name} = 0; got {np.shape(value)}")
        return tf.concat(present, axis=-1)
