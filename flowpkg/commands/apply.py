"""`flowpkg sample`, `score` and `info`: a trained model on new data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from flowpkg.errors import DataError, ModelError, SettingsError
from flowpkg.files import read_arrays
from flowpkg.tables import numeric, read_table, write_table
from flowpkg.tensorflow_setup import set_up_tensorflow


def _load(model: str | Path):
    set_up_tensorflow()
    from flowpkg.model import FlowModel

    return FlowModel.load(model)


def sample(model: str | Path, n: int, out: str | Path, *, temperature: float = 1.0, seed: int = 0) -> None:
    """Write `n` samples of a model as a table with the training data's column names.

    Raises:
        SettingsError: `n` or `temperature` out of range.
        ModelError: the model cannot be loaded.
    """
    if n < 1 or not temperature > 0:
        raise SettingsError(f"sample: expected -n >= 1 and --temperature > 0; got {n} and {temperature}")
    flow = _load(model)
    drawn = flow.sample(n, temperature=temperature, seed=(seed, 0)).x.numpy()
    write_table(out, pd.DataFrame(drawn, columns=flow.names))


def score(model: str | Path, data: str | Path, out: str | Path, *, percentile: float = 1.0) -> None:
    """Write log-density, training percentile and anomaly flag of each row of a table.

    The percentile is the share of training rows with a lower log-density, in percent; rows below `percentile`
    are flagged. Columns are found by name; a table without those names is taken by position if its width fits.

    Raises:
        DataError: the table cannot be read, has another width, or holds NaN or infinity.
        ModelError: the model cannot be loaded.
    """
    if not 0 <= percentile <= 100:
        raise SettingsError(f"score: expected --percentile from 0 to 100; got {percentile}")
    frame = read_table(data)
    flow = _load(model)
    names = flow.names
    if not set(names) <= set(map(str, frame.columns)):
        if frame.shape[1] != len(names):
            raise DataError(
                f"{data}: expected the model's {len(names)} columns ({', '.join(names[:6])}"
                f"{', ...' if len(names) > 6 else ''}); got {frame.shape[1]} columns"
            )
        names = list(frame.columns)
    values, _ = numeric(frame, names, source=str(data))
    log_prob = np.asarray(flow.log_prob(values), np.float64)
    quantiles = read_arrays(Path(model) / "training_scores.npz")["log_prob_quantiles"]
    rank = np.interp(log_prob, quantiles, np.linspace(0.0, 100.0, len(quantiles)))
    write_table(
        out, pd.DataFrame({"log_prob_nats": log_prob, "training_percentile": rank, "anomaly": rank < percentile})
    )


def info(model: str | Path) -> str:
    """Return a description of a saved model; reads its files without loading TensorFlow.

    Raises:
        ModelError: a file is missing or damaged.
    """
    from flowpkg.model_files import read_model_files

    architecture, arrays = read_model_files(model)
    trained = sum(arrays[key].size for key, array in architecture["arrays"].items() if array["trained"])
    cut = ", ".join(f"{name} = {value}" for name, value in architecture["partition"].items())
    flow = ", ".join(f"{key}: {value}" for key, value in architecture["flow"].items())
    names = architecture["names"]
    if not isinstance(names, list):
        raise ModelError(f"{model}: expected a list of names; got {type(names).__name__}")
    return "\n".join(
        [
            f"model      {model} (intact)",
            f"partition  {cut}",
            f"columns    {', '.join(names)}",
            f"flow       {flow}",
            f"weights    {trained} trained numbers in {len(arrays)} arrays",
        ]
    )
