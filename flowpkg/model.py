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

from flowpkg.bijectors import Sequential
from flowpkg.errors import DataError, ModelError
from flowpkg.files import sha256_of, write_arrays, write_json
from flowpkg.model_files import FORMAT, FORMAT_VERSION, read_model_files
from flowpkg.partition import Partition


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
        log_prob(x, e | y) = log N(y_out; y, sigma_y^2 I) + log N(z; 0, I) + log|det d[y|z]/d[x|e]|

    With y empty this is the plain normalizing flow. All arrays are batches, `[n, width]`; anything that
    `tf.convert_to_tensor` takes is accepted.

    Args:
        partition: dimensions of the four parts.
        bijector: map of `[N]` vectors; its `forward` is decode, its `inverse` is encode.
        settings: the `flow` settings it was built from, kept to rebuild it on loading.
        names: names of the x columns; by default `x1`, `x2`, ...
        sigma_y: standard deviation of the target density around y, in the units of y.

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
    ) -> None:
        super().__init__(name="flow_model")
        self.partition = partition
        self.bijector = bijector
        # As text: tf.Module would wrap a dict in a type that json cannot write.
        self._settings_text = json.dumps(dict(settings))
        self.names = list(names) if names else [f"x{index + 1}" for index in range(partition.x)]
        self.sigma_y = float(sigma_y)
        dtype = bijector.dtype
        wide = tf.TensorSpec([None, partition.dim], dtype)
        known = tf.TensorSpec([None, partition.y], dtype)
        self._inverse = tf.function(bijector.inverse_and_log_det, input_signature=[wide])
        self._forward = tf.function(bijector.forward_and_log_det, input_signature=[wide])
        self._log_prob = tf.function(self.log_prob_of_inputs, input_signature=[wide, known])

    @property
    def settings(self) -> dict[str, Any]:
        """The `flow` settings that the model was built from."""
        return json.loads(self._settings_text)

    @property
    def dtype(self) -> tf.DType:
        """Floating type of all tensors."""
        return self.bijector.dtype

    def distribution(self) -> tfp.distributions.TransformedDistribution:
        """Return the flow as a TFP distribution over `[x | e]`, for a partition without y.

        Raises:
            ModelError: the partition has a y; its density is conditional, see `log_prob`.
        """
        if self.partition.y:
            raise ModelError(f"distribution: expected a partition without y; got dim y = {self.partition.y}")
        base = tfp.distributions.MultivariateNormalDiag(loc=tf.zeros([self.partition.dim], self.dtype))
        return tfp.distributions.TransformedDistribution(base, self.bijector)

    def encode(self, x, e=None) -> Outputs:
        """Map inputs to outputs.

        Args:
            x: `[n, dim x]`.
            e: `[n, dim e]`; needed if the partition has an e.

        Raises:
            DataError: a width does not fit the partition.
        """
        outputs, _ = self._inverse(self._join({"x": x, "e": e}))
        return Outputs(*tf.split(outputs, [self.partition.y, self.partition.z], axis=-1))

    def decode(self, z, y=None) -> Inputs:
        """Map outputs to inputs.

        Args:
            z: `[n, dim z]`.
            y: `[n, dim y]`; needed if the partition has a y.

        Raises:
            DataError: a width does not fit the partition.
        """
        inputs, _ = self._forward(self._join({"y": y, "z": z}))
        return Inputs(*tf.split(inputs, [self.partition.x, self.partition.e], axis=-1))

    def log_prob(self, x, e=None, y=None) -> tf.Tensor:
        """Return the log-density of inputs in nats, given y where the partition has one.

        Args:
            x: `[n, dim x]`.
            e: `[n, dim e]`; needed if the partition has an e.
            y: `[n, dim y]`; needed if the partition has a y.

        Returns:
            `[n]`.
        """
        inputs = self._join({"x": x, "e": e})
        known = self._part("y", y) if self.partition.y else tf.zeros([tf.shape(inputs)[0], 0], self.dtype)
        return self._log_prob(inputs, known)

    def log_prob_of_inputs(self, inputs: tf.Tensor, known: tf.Tensor) -> tf.Tensor:
        """Return `log_prob` of joined inputs `[n, N]` and targets `[n, dim y]`; plain ops, for use in training."""
        outputs, log_det = self.bijector.inverse_and_log_det(inputs)
        if self.partition.y:
            residual = (outputs[..., : self.partition.y] - known) / self.sigma_y
            outputs = tf.concat([residual, outputs[..., self.partition.y :]], axis=-1)
            log_det -= self.partition.y * math.log(self.sigma_y)
        norm = 0.5 * self.partition.dim * math.log(2.0 * math.pi)
        return log_det - 0.5 * tf.reduce_sum(tf.square(outputs), axis=-1) - norm

    def sample(self, n: int, *, temperature: float = 1.0, y=None, seed=(0, 0)) -> Inputs:
        """Draw inputs by decoding normal latents.

        Args:
            n: number of samples.
            temperature: standard deviation of the latents; below 1 samples keep closer to the mode.
            y: `[dim y]` or `[n, dim y]`; needed if the partition has a y.
            seed: two integers; the same seed gives the same samples.

        Returns:
            `Inputs(x [n, dim x], e [n, dim e])`.
        """
        z = temperature * tf.random.stateless_normal([n, self.partition.z], seed=seed, dtype=self.dtype)
        if self.partition.y and y is not None:
            y = tf.broadcast_to(tf.cast(y, self.dtype), [n, self.partition.y])
        return self.decode(z, y)

    def flops_per_example(self) -> int:
        """Floating-point operations of one encode of one example, matrix products of the networks only."""
        return sum(
            2 * int(np.prod(variable.shape)) for variable in self.trainable_variables if variable.shape.rank == 2
        )

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
                "sigma_y": self.sigma_y,
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
        model = build_flow(architecture["flow"], Partition(**architecture["partition"]), names=architecture["names"])
        model.sigma_y = architecture["sigma_y"]
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

    def _named_variables(self) -> dict[str, tf.Variable]:
        named = {}
        for index, layer in enumerate(self.bijector.layers):
            for position, variable in enumerate(layer.variables):
                label = variable.name.split(":")[0]
                named[f"layer_{index:02d}_{layer.name}/{position:02d}_{label}"] = variable
        return named

    def _part(self, name: str, value) -> tf.Tensor:
        width = getattr(self.partition, name)
        if value is None:
            raise DataError(f"{name}: expected an array [n, {width}]; got none")
        value = tf.convert_to_tensor(np.asarray(value) if not tf.is_tensor(value) else value)
        value = tf.cast(value, self.dtype)
        if value.shape.rank != 2 or value.shape[-1] != width:
            raise DataError(f"{name}: expected an array [n, {width}]; got shape {tuple(value.shape)}")
        return value

    def _join(self, parts: Mapping[str, Any]) -> tf.Tensor:
        present = [self._part(name, value) for name, value in parts.items() if getattr(self.partition, name)]
        for name, value in parts.items():
            if value is not None and not getattr(self.partition, name) and np.shape(value)[-1]:
                raise DataError(f"{name}: expected none, because this model has dim {name} = 0; got {np.shape(value)}")
        return tf.concat(present, axis=-1)
