"""`flowpkg prepare`: simulate or read the data of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from flowpkg.errors import DataError
from flowpkg.files import atomic_directory, sha256_of, write_json
from flowpkg.problems import load_problem
from flowpkg.problems.images.base import SPLITS, ImageProblem
from flowpkg.provenance import provenance
from flowpkg.seeds import generator


def prepare(settings: dict[str, Any], out: str | Path) -> None:
    """Write `<split>_<part>.npy` for each split and part (x, and e and y where there are) and `manifest.json`.

    Images are 8-bit `[n, height, width, channels]`, beside `anomaly_kind.npy` and tables that describe them.

    Args:
        settings: the run's complete settings.
        out: the folder; replaced as a whole once everything is written.

    Raises:
        DataError: the data cannot be read or have fewer rows than a batch.
    """
    problem = load_problem(settings["problem"])
    with atomic_directory(out) as folder:
        if isinstance(problem, ImageProblem):
            written = problem.write(folder, settings["seed"], settings["data"])
        else:
            written = _write_rows(problem, settings, folder)
        rows, batch = written["files"]["train_x.npy"]["shape"][0], settings["training"]["batch_size"]
        if rows < batch:
            raise DataError(
                f"training data: expected at least one batch of {batch} rows (training.batch_size); got {rows} rows"
            )
        write_json(
            folder / "manifest.json",
            {
                "names": list(problem.names),
                "y_names": list(getattr(problem, "y_names", [])),
                "dropped_rows": getattr(problem, "dropped_rows", 0),
                "provenance": provenance({key: settings[key] for key in ("application", "seed", "problem", "data")}),
                **written,
            },
        )


def _write_rows(problem: Any, settings: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Write the rows of a simulator or a table, and return what the manifest says of the files."""
    sizes, seed = settings["data"], settings["seed"]
    if settings["problem"]["name"] == "table":
        splits = problem.splits(seed, sizes["validation_fraction"], sizes["test_fraction"])
    else:
        splits = {name: problem.sample(sizes[name], generator(seed, "simulate", name)) for name in SPLITS[:3]}
        splits["anomaly"] = np.zeros((0, problem.dim))
    splits = {name: parts if isinstance(parts, dict) else {"x": parts} for name, parts in splits.items()}
    files = {}
    for name, parts in splits.items():
        for part, rows in parts.items():
            path = folder / f"{name}_{part}.npy"
            np.save(path, rows, allow_pickle=False)
            files[path.name] = {"shape": list(rows.shape), "sha256": sha256_of(path)}
    return {"files": files}
