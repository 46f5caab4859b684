"""What figures are drawn from."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from flowpkg.errors import DataError
from flowpkg.files import read_arrays, read_json


@dataclass(frozen=True)
class Evaluation:
    """Arrays and metrics of an evaluation, and the training history by column."""

    arrays: dict[str, np.ndarray]
    metrics: dict[str, float]
    history: dict[str, np.ndarray]

    @classmethod
    def load(cls, arrays: str | Path, metrics: str | Path, history: str | Path) -> Evaluation:
        """Read the three files.

        Raises:
            DataError: a file is missing or damaged.
        """
        try:
            with open(history, newline="", encoding="utf-8") as handle:
                rows = list(csv.DictReader(handle))
            columns = {name: np.array([float(row[name]) for row in rows]) for name in (rows[0] if rows else {})}
        except (OSError, TypeError, ValueError) as error:
            raise DataError(f"{history}: expected the CSV of a training history; got {error}") from None
        return cls(read_arrays(arrays), read_json(metrics), columns)
