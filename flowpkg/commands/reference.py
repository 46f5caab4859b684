"""`flowpkg reference`: posteriors of some held-out observations by Markov chain Monte Carlo."""

from __future__ import annotations

import hashlib
import importlib.util
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from flowpkg.errors import SettingsError
from flowpkg.files import atomic_directory, read_array, sha256_of, sha256_of_json, write_arrays, write_json
from flowpkg.problems import load_problem, problem_module

MODULES = ("convergence", "laplace", "nuts", "simulators")


def reference(
    settings: dict[str, Any], data: str | Path, out: str | Path, cache: str | Path | None = None, threads: int = 0
) -> None:
    """Write `reference.npz` and `report.json` for the observations that the problem chooses from the held-out rows.

    `reference.npz` holds `rows [m]`, the truths `x [m, P]`, the observations `y [m, M]` and `samples [m, n, P]`;
    `report.json` the sampler's report, see `nuts_posterior`, with `key`, the name in the cache.

    Args:
        settings: the run's complete settings; `evaluation.reference` sets up the sampler.
        data: folder of `flowpkg prepare`.
        out: the folder; replaced as a whole once everything is written.
        cache: folder in which references are kept by the hash of the problem's settings, the observations, the
            sampler's settings, the seed, and the source of the modules that decide the result.
        threads: of one operation of TensorFlow; 0 leaves its choice.

    Raises:
        SettingsError: the problem has no simulator to sample with.
        ConvergenceError: the chains have not converged; nothing is written.
    """
    problem, options, seed = load_problem(settings["problem"]), settings["evaluation"]["reference"], settings["seed"]
    if not hasattr(problem, "reference_rows"):
        raise SettingsError(
            f"problem.name: expected a problem with reference posteriors by sampling; got {settings['problem']['name']}"
        )
    if options["samples"] > options["chains"] * options["draws"]:
        raise SettingsError(
            f"evaluation.reference.samples: expected at most {options['chains'] * options['draws']}, chains x draws; "
            f"got {options['samples']}"
        )
    x, y = (read_array(Path(data) / f"test_{part}.npy") for part in ("x", "y"))
    rows = problem.reference_rows(x, y)
    key = content_key(settings["problem"], options, seed, y[rows])
    kept = None if cache is None else Path(cache) / key
    if kept is None or not (kept / "report.json").exists():
        samples, report = _draw(problem, y[rows], options, seed, threads)
        with atomic_directory(kept or out) as folder:
            write_arrays(folder / "reference.npz", {"rows": rows, "x": x[rows], "y": y[rows], "samples": samples})
            files = {"reference.npz": {"sha256": sha256_of(folder / "reference.npz")}}
            write_json(folder / "report.json", report | {"key": key, "files": files})
    if kept is not None:
        with atomic_directory(out) as folder:
            shutil.copytree(kept, folder, dirs_exist_ok=True)


def content_key(problem: dict[str, Any], options: dict[str, Any], seed: int, y: np.ndarray) -> str:
    """Return the hash of all that a reference posterior depends on; imports no TensorFlow."""
    modules = [problem_module(problem["name"]), "flowpkg.problems.field"]
    modules += [f"flowpkg.references.{name}" for name in MODULES]
    source = {name: sha256_of(importlib.util.find_spec(name).origin) for name in modules}
    observed = hashlib.sha256(np.ascontiguousarray(y, np.float64).tobytes()).hexdigest()
    return sha256_of_json(
        {"problem": problem, "options": options, "seed": seed, "observations": observed, "source": source}
    )[:32]


def _draw(problem, y, options, seed, threads):
    settings = {key: value for key, value in options.items() if key != "samples"}
    from flowpkg.tensorflow_setup import set_up_tensorflow

    set_up_tensorflow(threads)
    from flowpkg.references.nuts import nuts_posterior

    return nuts_posterior(problem, y, options["samples"], seed, **settings)
