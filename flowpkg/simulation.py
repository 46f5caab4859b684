"""Simulations in blocks with random streams of their own, so that shards of any number give the same data."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from flowpkg.errors import DataError, SettingsError
from flowpkg.files import sha256_of, sha256_of_json
from flowpkg.problems.simulator import Failures
from flowpkg.seeds import generator

SPLITS = ("train", "validation", "test")
# Large enough that all published splits are one block, whose stream is the one they have always had.
BLOCK_ROWS = 1_000_000


def is_simulated(problem: Any) -> bool:
    """Return whether a problem draws any number of rows, rather than reading or drawing a fixed set."""
    return hasattr(problem, "draw") or (hasattr(problem, "sample") and not hasattr(problem, "write"))


class Block(NamedTuple):
    """Rows `start .. start + rows - 1` of a split, drawn from a stream of their own."""

    split: str
    index: int
    start: int
    rows: int


@dataclass
class Drawn:
    """What became of a block: its parts by name, and its failed simulations."""

    block: Block
    parts: dict[str, np.ndarray]
    failures: Failures


def plan(settings: dict[str, Any], problem: Any) -> list[Block]:
    """Return the blocks of all splits, in order; they depend on `data` and the problem, not on the shards."""
    sizes = settings["data"]
    most = sizes["block_rows"] or getattr(problem, "block_rows", BLOCK_ROWS)
    return [
        Block(split, index, start, min(most, sizes[split] - start))
        for split in SPLITS
        for index, start in enumerate(range(0, sizes[split], most))
    ]


def blocks_of_shard(blocks: list[Block], shard: int, shards: int) -> list[Block]:
    """Return the blocks of one shard, neighbours, as many in each shard within one.

    Args:
        blocks: of `plan`.
        shard: from 1 to `shards`.
        shards: number of shards.

    Raises:
        SettingsError: `shard` is out of range, or there are fewer blocks than shards.
    """
    if not 1 <= shard <= shards:
        raise SettingsError(f"--shard: expected a number from 1 to {shards} (data.shards); got {shard}")
    if shards > len(blocks):
        raise SettingsError(
            f"data.shards: expected at most {len(blocks)}, as there are {len(blocks)} blocks of rows "
            f"(data.block_rows); got {shards}"
        )
    return blocks[(shard - 1) * len(blocks) // shards : shard * len(blocks) // shards]


def simulate_block(problem: Any, block: Block, seed: int) -> Drawn:
    """Draw one block. The first block of a split has the stream of the whole split, the others one each."""
    rng = generator(seed, "simulate", block.split, *([block.index] if block.index else []))
    if hasattr(problem, "draw"):
        return Drawn(block, *problem.draw(block.rows, rng))
    parts = problem.sample(block.rows, rng)
    return Drawn(block, parts if isinstance(parts, dict) else {"x": parts}, Failures())


def simulate(problem: Any, blocks: Iterable[Block], seed: int) -> Iterator[Drawn]:
    """Draw blocks one after the other."""
    for block in blocks:
        yield simulate_block(problem, block, seed)


def limited(drawn: Iterable[Drawn], problem: Any, rows: int) -> Iterator[Drawn]:
    """Pass blocks on until too many of the simulations failed.

    Args:
        drawn: blocks.
        problem: names the limit, `max_failed_fraction`.
        rows: number of all simulations of the run.

    Raises:
        DataError: more than that share of `rows` failed; with the last reason and input.
    """
    limit, failed = getattr(problem, "max_failed_fraction", 0.0), 0
    for one in drawn:
        failed += len(one.failures)
        if failed > limit * rows:
            raise DataError(
                f"simulations: expected at most {limit:g} of {rows} to fail (problem.max_failed_fraction); got "
                f"{failed} failures by row {one.block.start + one.block.rows} of {one.block.split}, the last: "
                f"{one.failures.reasons[-1]}, x = {one.failures.inputs[-1]}"
            )
        yield one


def key_of(settings: dict[str, Any], problem: Any, blocks: list[Block]) -> str:
    """Return a hash of what a run's simulations depend on: the problem, the seed, the blocks, a user's files."""
    return sha256_of_json(
        {
            "problem": {key: value for key, value in settings["problem"].items() if key != "max_failed_fraction"},
            "seed": settings["seed"],
            "blocks": [list(block) for block in blocks],
            "files": getattr(problem, "fingerprint", {}),
        }
    )


class ArrayWriter:
    """Appends rows to an NPY file, so that arrays larger than memory can be written.

    NumPy pads the header for any number of rows, so the final one takes the place of the first.

    Args:
        path: the file.
        like: rows whose width and type the array has.
    """

    def __init__(self, path: Path, like: np.ndarray) -> None:
        self.path, self.rows, self.width = path, 0, like.shape[1:]
        self.dtype = like.dtype
        self.low = np.full(self.width, np.inf)
        self.high = np.full(self.width, -np.inf)
        self._file = open(path, "wb")
        self._write_header()
        self._data_start = self._file.tell()

    def _write_header(self) -> None:
        header = {
            "descr": np.lib.format.dtype_to_descr(self.dtype), "fortran_order": False, "shape": (self.rows, *self.width)
        }  # fmt: skip
        np.lib.format.write_array_header_1_0(self._file, header)

    def append(self, rows: np.ndarray) -> None:
        """Write more rows."""
        if rows.shape[1:] != self.width or rows.dtype != self.dtype:
            raise DataError(
                f"{self.path.name}: expected rows of {self.width} {self.dtype}; got {rows.shape[1:]} {rows.dtype}"
            )
        if len(rows):
            self.low = np.minimum(self.low, rows.min(axis=0))
            self.high = np.maximum(self.high, rows.max(axis=0))
        np.ascontiguousarray(rows).tofile(self._file)
        self.rows += len(rows)

    def close(self) -> dict[str, Any]:
        """Finish the file; return its shape and SHA-256 for a manifest."""
        self._file.seek(0)
        self._write_header()
        if self._file.tell() != self._data_start:
            raise RuntimeError(f"{self.path}: the header of the NPY file changed its length")
        self._file.close()
        return {"shape": [self.rows, *self.width], "sha256": sha256_of(self.path)}


class FailureLog:
    """Writes failed simulations to a CSV file: split, row, reason and the parameters; no file without failures."""

    def __init__(self, path: Path) -> None:
        self.path, self.reasons, self.counts = path, {}, dict.fromkeys(SPLITS, 0)
        self._file = None

    def add(self, drawn: Drawn, names: list[str]) -> None:
        """Note the failures of one block."""
        if not len(drawn.failures):
            return
        if self._file is None:
            self._file = open(self.path, "w", newline="", encoding="utf-8")
            csv.writer(self._file, lineterminator="\n").writerow(["split", "row", "reason", *names])
        writer = csv.writer(self._file, lineterminator="\n")
        found = drawn.failures
        for row, inputs, reason in zip(found.rows, found.inputs, found.reasons, strict=True):
            writer.writerow([drawn.block.split, drawn.block.start + row + 1, reason, *map(repr, inputs)])
            self.reasons[reason] = self.reasons.get(reason, 0) + 1
        self.counts[drawn.block.split] += len(found)

    def close(self) -> None:
        """Finish the file."""
        if self._file is not None:
            self._file.close()

    @property
    def total(self) -> int:
        """Number of failures."""
        return sum(self.counts.values())


def write_splits(folder: Path, drawn: Iterable[Drawn], names: list[str], must_vary: bool) -> tuple[dict, FailureLog]:
    """Write blocks to `<split>_<part>.npy`, and failures to `failed.csv`, one block in memory at a time.

    Args:
        folder: an existing folder.
        drawn: blocks in the order of `plan`.
        names: of the parameters, for `failed.csv`.
        must_vary: refuse columns of training data that are constant.

    Returns:
        Shape and SHA-256 of each file by name, and the log of failures.
    """
    writers: dict[str, ArrayWriter] = {}
    failed = FailureLog(folder / "failed.csv")
    try:
        for one in drawn:
            failed.add(one, names)
            for part, rows in one.parts.items():
                name = f"{one.block.split}_{part}"
                if name not in writers:
                    writers[name] = ArrayWriter(folder / f"{name}.npy", rows)
                writers[name].append(rows)
    finally:
        failed.close()
        files = {writer.path.name: writer.close() for writer in writers.values()}
    for part in ("x", "y") if must_vary else ():
        writer = writers[f"train_{part}"]
        constant = np.flatnonzero(writer.low == writer.high)
        if constant.size:
            raise DataError(
                f"training data: expected values of {part} that vary; got the constant {writer.low[constant[0]]:g} in "
                f"column {constant[0] + 1} of {writer.width[0]}"
            )
    return files, failed


def encode_failures(failures: Failures) -> bytes:
    """Return failures as JSON text."""
    return json.dumps([failures.rows, failures.inputs, failures.reasons]).encode()


def decode_failures(text: bytes) -> Failures:
    """Return the failures of `encode_failures`."""
    return Failures(*json.loads(text))
