"""`flowpkg prepare`: simulate or read the data of a run."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from flowpkg.errors import DataError, SettingsError
from flowpkg.files import atomic_directory, sha256_of, write_json
from flowpkg.problems import load_problem
from flowpkg.problems.images.base import ImageProblem
from flowpkg.provenance import provenance
from flowpkg.shards import Shard
from flowpkg.simulation import Drawn, is_simulated, limited, plan, simulate, write_splits


def prepare(settings: dict[str, Any], out: str | Path, *, shards: list[str | Path] | None = None) -> None:
    """Write `<split>_<part>.npy` for each split and part (x, and e and y where there are) and `manifest.json`.

    Images are 8-bit `[n, height, width, channels]`, beside `anomaly_kind.npy` and tables that describe them.
    Simulations that failed are left out and listed in `failed.csv`.

    Args:
        settings: the run's complete settings.
        out: the folder; replaced as a whole once everything is written.
        shards: files of `flowpkg simulate`, in order; simulated here by default.

    Raises:
        DataError: the data cannot be read or have fewer rows than a batch, or a shard is of other settings.
    """
    problem = load_problem(settings["problem"])
    if shards and not is_simulated(problem):
        raise SettingsError(f"--shards: expected none for the problem {settings['problem']['name']}; got some")
    kept = {key: settings[key] for key in ("application", "seed", "problem", "data")}
    # Data do not depend on how many jobs made them.
    kept["data"] = {key: value for key, value in kept["data"].items() if key != "shards"}
    with atomic_directory(out) as folder:
        if isinstance(problem, ImageProblem):
            written = problem.write(folder, settings["seed"], settings["data"])
        elif is_simulated(problem):
            written = _simulate(problem, settings, folder, shards)
        else:
            written = _write_table(problem, settings, folder)
        rows, batch = written["files"]["train_x.npy"]["shape"][0], settings["training"]["batch_size"]
        if rows < batch:
            raise DataError(
                f"training data: expected at least one batch of {batch} rows (training.batch_size); got {rows} rows"
            )
        # A user's simulator that shards ran is not run again for its names.
        named = {} if "names" in written else {"names": list(problem.names)}
        named |= {} if "y_names" in written else {"y_names": list(getattr(problem, "y_names", []))}
        write_json(
            folder / "manifest.json",
            {
                **named,
                "dropped_rows": getattr(problem, "dropped_rows", 0),
                "provenance": provenance(kept),
                **written,
            },
        )
    _tell_failures(written, settings, Path(out))


def _write_table(problem: Any, settings: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Write the rows of a table, and return what the manifest says of the files."""
    sizes, files = settings["data"], {}
    for name, rows in problem.splits(settings["seed"], sizes["validation_fraction"], sizes["test_fraction"]).items():
        files |= _save(folder / f"{name}_x.npy", rows)
    return {"files": files}


def _save(path: Path, rows: np.ndarray) -> dict[str, Any]:
    np.save(path, rows, allow_pickle=False)
    return {path.name: {"shape": list(rows.shape), "sha256": sha256_of(path)}}


def _simulate(problem: Any, settings: dict[str, Any], folder: Path, shards: list[str | Path] | None) -> dict[str, Any]:
    """Write simulations, made here or read from shards, and return what the manifest says of them."""
    own, blocks, written = settings["problem"]["name"] == "simulator", plan(settings, problem), {}
    if shards:
        every = [Shard(settings, problem, place + 1, len(shards), path) for place, path in enumerate(shards)]
        for shard in every:
            shard.verify("prepare")
        written = {key: every[0].manifest()[key] for key in ("names", "y_names")}
        drawn: Iterator[Drawn] = (one for shard in every for one in shard.read())
    else:
        drawn = simulate(problem, blocks, settings["seed"])
    drawn = limited(drawn, problem, sum(block.rows for block in blocks))
    names = written["names"] if shards else list(problem.names)
    files, failed = write_splits(folder, drawn, names, must_vary=own)
    files |= _save(folder / "anomaly_x.npy", np.zeros((0, files["train_x.npy"]["shape"][1])))
    if own:
        often = sorted(failed.reasons.items(), key=lambda item: (-item[1], item[0]))[:5]
        written |= {"inputs": problem.fingerprint, "failed": failed.counts, "failure_reasons": often}
    return {**written, "files": files}


def _tell_failures(written: dict[str, Any], settings: dict[str, Any], out: Path) -> None:
    failed = sum(written.get("failed", {}).values())
    if failed:
        total = sum(settings["data"][split] for split in written["failed"])
        reason, count = written["failure_reasons"][0]
        print(
            f"prepare: {failed} of {total} simulations failed and are left out, listed in {out / 'failed.csv'}; "
            f"most often ({count}): {reason}",
            file=sys.stderr,
        )
