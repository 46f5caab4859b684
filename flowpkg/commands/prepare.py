"""`flowpkg prepare`: simulate or read the data of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from flowpkg.errors import DataError
from flowpkg.files import atomic_directory, sha256_of, write_json
from flowpkg.problems import load_problem
from flowpkg.provenance import provenance
from flowpkg.seeds import generator

SPLITS = ("train", "validation", "test", "anomaly")


def prepare(settings: dict[str, Any], out: str | Path) -> None:
    """Write `<split>_<part>.npy` for each split and part (x, and e and y where there are) and `manifest.json`.

    Args:
        settings: the run's complete settings.
        out: the folder; replaced as a whole once everything is written.

    Raises:
        DataError: the data cannot be read or have fewer rows than a batch.
    """
    problem = load_problem(settings["problem"])
    sizes, seed = settings["data"], settings["seed"]
    dropped = 0
    if settings["problem"]["name"] == "table":
        splits = problem.splits(seed, sizes["validation_fraction"], sizes["test_fraction"])
        dropped = problem.dropped_rows
    else:
        splits = {name: problem.sample(sizes[name], generator(seed, "simulate", name)) for name in SPLITS[:3]}
        splits["anomaly"] = np.zeros((0, problem.dim))
    splits = {name: parts if isinstance(parts, dict) else {"x": parts} for name, parts in splits.items()}
    if len(splits["train"]["x"]) < settings["training"]["batch_size"]:
        raise DataError(
            f"training data: expected at least one batch of {settings['training']['batch_size']} rows "
            f"(training.batch_size); got {len(splits['train']['x'])} rows"
        )
    with atomic_directory(out) as folder:
        files = {}
        for name, parts in splits.items():
            for part, rows in parts.items():
                path = folder / f"{name}_{part}.npy"
                np.save(path, rows, allow_pickle=False)
                files[path.name] = {"shape": list(rows.shape), "sha256": sha256_of(path)}
        write_json(
            folder / "manifest.json",
            {
                "names": list(problem.names),
                "y_names": list(getattr(problem, "y_names", [])),
                "files": files,
                "dropped_rows": dropped,
                "provenance": provenance({key: settings[key] for key in ("application", "seed", "problem", "data")}),
            },
        )
