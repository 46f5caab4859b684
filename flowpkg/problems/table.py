"""Numeric columns of a user's table, with labelled anomalies where there are some."""

from __future__ import annotations

import numpy as np
import pandas as pd

from flowpkg.errors import DataError
from flowpkg.seeds import generator
from flowpkg.tables import numeric, read_table

SKLEARN = ("breast_cancer", "wine", "iris")


def _read(path: str) -> pd.DataFrame:
    if not path.startswith("sklearn:"):
        return read_table(path)
    name = path.removeprefix("sklearn:")
    if name not in SKLEARN:
        raise DataError(f"problem.path: expected sklearn: with one of {', '.join(SKLEARN)}; got {path}")
    from sklearn import datasets

    bunch = getattr(datasets, f"load_{name}")()
    frame = pd.DataFrame(bunch.data, columns=list(bunch.feature_names))
    frame["target"] = np.asarray(bunch.target_names)[bunch.target]
    return frame


class Table:
    """A table cut into training, validation and held-out rows, and anomalies.

    Args:
        path: CSV, Parquet or NPZ file, or `sklearn:NAME`.
        columns: columns to model; all numeric ones but the label if empty.
        label: column that marks anomalies; empty for none.
        anomalies: values of `label` that mark them.
        invalid_rows: `error` or `drop` for rows with NaN or infinity.

    Raises:
        DataError: the file, a column, the label or a value cannot be used; the message names it.
    """

    def __init__(self, path, columns=(), label="", anomalies=(), invalid_rows="error"):
        frame = _read(path)
        if label and label not in frame.columns:
            raise DataError(f"{path}: problem.label: expected a column of the table; got {label}")
        if anomalies and not label:
            raise DataError("problem.anomalies: expected problem.label to name their column; got none")
        self.names = list(columns) or [
            str(name)
            for name in frame.columns
            if name != label
            and pd.api.types.is_numeric_dtype(frame[name])
            and not pd.api.types.is_bool_dtype(frame[name])
        ]
        if len(self.names) < 2:
            raise DataError(f"{path}: expected at least two numeric columns; got {len(self.names)}")
        values, kept = numeric(frame, self.names, source=path, invalid_rows=invalid_rows)
        self.dropped_rows = len(frame) - len(kept)
        for name, column in zip(self.names, values.T, strict=True):
            if np.ptp(column) == 0:
                raise DataError(f"{path}: column {name}: expected values that vary; got the constant {column[0]:g}")
        odd = np.zeros(len(values), bool)
        if label:
            labels = frame[label].iloc[kept].to_numpy()
            for value in anomalies:
                if not np.any(labels == value):
                    raise DataError(f"{path}: problem.anomalies: expected a value of column {label}; got {value!r}")
            odd = np.isin(labels.astype(str), [str(value) for value in anomalies])
        self.normal, self.anomaly = values[~odd], values[odd]
        if len(self.normal) < 10:
            raise DataError(f"{path}: expected at least 10 normal rows; got {len(self.normal)}")

    @property
    def dim(self) -> int:
        """Number of columns."""
        return len(self.names)

    def splits(self, seed: int, validation_fraction: float, test_fraction: float) -> dict[str, np.ndarray]:
        """Return `train`, `validation`, `test` and `anomaly` rows, each `[n, N]`; a shuffle from the seed."""
        order = generator(seed, "table splits").permutation(len(self.normal))
        held = max(1, round(test_fraction * len(order)))
        checked = max(1, round(validation_fraction * len(order)))
        if held + checked >= len(order):
            raise DataError(
                f"data: expected rows left for training; got {held} held-out and {checked} validation rows of {len(order)}"
            )
        rows = np.split(self.normal[order], [held, held + checked])
        return {"test": rows[0], "validation": rows[1], "train": rows[2], "anomaly": self.anomaly}
