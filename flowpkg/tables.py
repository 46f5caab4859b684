"""Read and write tables of numbers: CSV, Parquet and NPZ."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from flowpkg.errors import DataError
from flowpkg.files import atomic_path, read_arrays, write_arrays

SUFFIXES = (".csv", ".parquet", ".npz")


def read_table(path: str | Path) -> pd.DataFrame:
    """Read a CSV, Parquet or NPZ file (one-dimensional columns, or one array `x [n, N]`) as a data frame.

    Raises:
        DataError: missing, unreadable, empty, or of an unknown suffix.
    """
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise DataError(
            f"{path}: expected a file name ending in {', '.join(SUFFIXES)}; got {path.suffix or 'no ending'}"
        )
    if not path.is_file():
        raise DataError(f"{path}: expected a table; got no such file")
    try:
        if path.suffix.lower() == ".csv":
            frame = pd.read_csv(path)
        elif path.suffix.lower() == ".parquet":
            frame = pd.read_parquet(path)
        else:
            arrays = read_arrays(path)
            if set(arrays) == {"x"} and arrays["x"].ndim == 2:
                frame = pd.DataFrame(arrays["x"], columns=[f"x{i + 1}" for i in range(arrays["x"].shape[1])])
            else:
                frame = pd.DataFrame(arrays)
    except DataError:
        raise
    except Exception as error:  # readers raise many types for a broken file; all mean the same to the user
        raise DataError(f"{path}: expected a readable table; got {' '.join(str(error).split())[:160]}") from None
    if frame.empty:
        raise DataError(f"{path}: expected at least one row; got none")
    return frame


def numeric(
    frame: pd.DataFrame, columns: list[str], *, source: str, invalid_rows: str = "error"
) -> tuple[np.ndarray, np.ndarray]:
    """Return columns as a float64 array `[n, N]` and the positions of the rows it holds.

    Args:
        frame: the table.
        columns: columns wanted.
        source: file name for messages.
        invalid_rows: `error` or `drop` for rows that hold NaN or infinity.

    Raises:
        DataError: a column is missing or not numeric, or rows hold NaN or infinity (row 1 is the first data row).
    """
    missing = [name for name in columns if name not in frame.columns]
    if missing:
        raise DataError(
            f"{source}: expected the column {', '.join(missing)}; got {', '.join(map(str, frame.columns[:12]))}"
        )
    for name in columns:
        if not pd.api.types.is_numeric_dtype(frame[name]) or pd.api.types.is_bool_dtype(frame[name]):
            as_number = pd.to_numeric(frame[name], errors="coerce")
            bad = np.flatnonzero((as_number.isna() & frame[name].notna()).to_numpy())
            row = f" (row {bad[0] + 1}: {frame[name].iloc[bad[0]]!r})" if bad.size else ""
            raise DataError(f"{source}: column {name}: expected numbers; got {frame[name].dtype}{row}")
    values = frame[columns].to_numpy(np.float64, na_value=np.nan)
    valid = np.isfinite(values).all(axis=1)
    if not valid.all():
        rows = np.flatnonzero(~valid) + 1
        if invalid_rows != "drop":
            listed = ", ".join(map(str, rows[:10])) + (", ..." if len(rows) > 10 else "")
            raise DataError(
                f"{source}: expected finite numbers; got NaN or infinity in {len(rows)} of {len(values)} rows: "
                f"{listed} (problem.invalid_rows: drop leaves such rows out)"
            )
    kept = np.flatnonzero(valid)
    return values[kept], kept


def write_table(path: str | Path, frame: pd.DataFrame) -> None:
    """Write a data frame as CSV, Parquet or NPZ, by the file's suffix.

    Raises:
        DataError: unknown suffix.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise DataError(
            f"{path}: expected a file name ending in {', '.join(SUFFIXES)}; got {path.suffix or 'no ending'}"
        )
    if suffix == ".npz":
        write_arrays(path, {str(name): frame[name].to_numpy() for name in frame.columns})
        return
    with atomic_path(path) as temporary:
        if suffix == ".csv":
            frame.to_csv(temporary, index=False, lineterminator="\n")
        else:
            frame.to_parquet(temporary, index=False)
