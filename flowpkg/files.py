"""Read and write files so that a reader never sees half of one."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from flowpkg.errors import DataError


def _temporary_name(path: Path) -> Path:
    # Same folder, so that the final move stays on one file system; same suffix, because writers pick formats by it.
    return path.with_name(f".{path.stem}.{os.getpid()}.partial{path.suffix}")


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary name beside `path` and move it into place when the block succeeds.

    Args:
        path: the final file name; missing parent folders are made.

    Returns:
        A context manager; the temporary file is removed if the block raises, and an earlier `path` is kept.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _temporary_name(path)
    try:
        yield temporary
        with open(temporary, "rb") as handle:
            os.fsync(handle.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_directory(path: str | Path) -> Iterator[Path]:
    """Yield a temporary folder beside `path` and swap it in when the block succeeds.

    Args:
        path: the final folder; one that exists is replaced as a whole, and only after the block succeeded.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".partial", dir=path.parent))
    temporary.chmod(0o755)
    retired = temporary.with_suffix(".old")
    try:
        yield temporary
        if path.exists():
            os.rename(path, retired)
        os.rename(temporary, path)
    finally:
        if retired.exists() and not path.exists():
            os.rename(retired, path)
        for leftover in (temporary, retired):
            shutil.rmtree(leftover, ignore_errors=True)


def write_json(path: str | Path, value: Any) -> None:
    """Write `value` as sorted, indented JSON; NaN and infinity are refused because JSON has neither."""
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2, sort_keys=True, allow_nan=False) + "\n", encoding="utf-8")


def read_json(path: str | Path) -> Any:
    """Read a JSON file.

    Raises:
        DataError: the file is missing or is not JSON.
    """
    path = Path(path)
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(f"{path}: expected a JSON file; got no such file") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: expected JSON; got text that does not parse ({error})") from None


def write_arrays(path: str | Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write named arrays as an uncompressed NPZ file; the same arrays give the same bytes."""
    with atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(arrays):
            # A fixed date in the entry: np.savez would store the time of writing, and files would differ.
            entry = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            with archive.open(entry, "w", force_zip64=True) as handle:
                np.lib.format.write_array(handle, np.asanyarray(arrays[name]), allow_pickle=False)


def read_arrays(path: str | Path) -> dict[str, np.ndarray]:
    """Read every array of an NPZ file, without pickle.

    Raises:
        DataError: the file is missing, truncated, or holds objects.
    """
    path = Path(path)
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except FileNotFoundError:
        raise DataError(f"{path}: expected an NPZ file; got no such file") from None
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, AttributeError, TypeError) as error:
        raise DataError(f"{path}: expected a complete NPZ file of plain arrays; got {_one_line(error)}") from None


def read_array(path: str | Path, *, mmap: bool = False) -> np.ndarray:
    """Read one NPY file, without pickle; with `mmap` it stays on disk.

    Raises:
        DataError: the file is missing, truncated, or holds objects.
    """
    path = Path(path)
    try:
        return np.load(path, allow_pickle=False, mmap_mode="r" if mmap else None)
    except FileNotFoundError:
        raise DataError(f"{path}: expected an NPY file; got no such file") from None
    except (ValueError, OSError, EOFError) as error:
        raise DataError(f"{path}: expected a complete NPY file of plain numbers; got {_one_line(error)}") from None


class ArrayWriter:
    """Write an NPY file row by row, when the number of rows is not known beforehand.

    Rows are appended to the file, never mapped into memory, so that memory stays flat however long it grows.

    Args:
        path: the file; belongs inside `atomic_directory`, since a reader could meet it half written.
        shape: shape of one row.
        dtype: type of its entries.
    """

    def __init__(self, path: str | Path, shape: tuple[int, ...], dtype: Any) -> None:
        self.shape, self.dtype, self.count = tuple(shape), np.dtype(dtype), 0
        self._file = open(path, "wb")
        self._write_header()
        self._start = self._file.tell()

    def _write_header(self) -> None:
        # NumPy pads this header to the same length whatever the number of rows.
        header = {"descr": self.dtype.str, "fortran_order": False, "shape": (self.count, *self.shape)}
        np.lib.format.write_array_header_1_0(self._file, header)

    def append(self, rows: np.ndarray) -> None:
        """Append rows `[n, *shape]`.

        Raises:
            ValueError: another shape or type.
        """
        if rows.shape[1:] != self.shape or rows.dtype != self.dtype:
            raise ValueError(f"rows: expected {self.dtype} of shape (n, {self.shape}); got {rows.dtype} {rows.shape}")
        self._file.write(np.ascontiguousarray(rows).data)
        self.count += len(rows)

    def close(self) -> None:
        """Write the number of rows into the header and close the file."""
        self._file.seek(0)
        self._write_header()
        if self._file.tell() != self._start:
            raise RuntimeError("the NPY header changed its length")
        self._file.close()


def sha256_of(path: str | Path) -> str:
    """Return the SHA-256 of a file's bytes as hexadecimal text."""
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def sha256_of_json(value: Any) -> str:
    """Return the SHA-256 of a JSON-like value, whatever the order of its keys."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:160] or type(error).__name__
