"""`flowpkg evaluate`: measure a trained flow and write what the figures are drawn from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from flowpkg.applications import load_application
from flowpkg.commands.data import read_data
from flowpkg.errors import DataError, ModelError
from flowpkg.files import atomic_directory, read_arrays, read_json, sha256_of, write_arrays, write_json
from flowpkg.provenance import provenance
from flowpkg.tensorflow_setup import set_up_tensorflow

# Measured times and memory: the only metrics that differ between two runs on one machine.
MEASURED_KEYS = (
    "samples_per_second",
    "sampling_seconds",
    "posterior_ms_1000",
    "posterior_ms_1000_max",
    "reference_seconds",
    "reference_seconds_per_effective_sample",
    "speedup_vs_mcmc",
    "speedup_vs_mcmc_with_training",
    "train_seconds",
    "train_steps_per_second",
    "train_gflops",
    "peak_memory_mb",
)


def evaluate(
    settings: dict[str, Any],
    data: str | Path,
    model: str | Path,
    out: str | Path,
    *,
    reference: str | Path | None = None,
    threads: int = 0,
    gpus: int | None = None,
) -> None:
    """Write `metrics.json`, `arrays.npz` and `provenance.json` into a folder.

    Args:
        settings: the run's complete settings.
        data: folder of `flowpkg prepare`.
        model: folder of `flowpkg train`.
        out: folder of the evaluation; replaced as a whole at the end.
        reference: folder of `flowpkg reference`, for applications that compare with it.
        threads: threads of one TensorFlow operation; 0 for TensorFlow's choice.
        gpus: 0 hides GPUs, another number is expected; None uses what there is.

    Raises:
        ModelError: the model is damaged or does not fit the data.
    """
    set_up_tensorflow(threads, gpus)
    from flowpkg.model import FlowModel

    flow = FlowModel.load(model)
    arrays, _, _ = read_data(data)
    width = int(np.prod(arrays["test_x"].shape[1:]))
    if width != flow.partition.x:
        raise ModelError(f"{data}: expected {flow.partition.x} columns, as {model} has; got {width}")
    image = read_json(Path(data) / "manifest.json").get("image")
    if image:
        arrays |= {"image": image, "training_scores": read_arrays(Path(model) / "training_scores.npz")}
    result = read_json(Path(model) / "training.json")["result"]
    options = {} if reference is None else {"reference": _read_reference(reference, result["seconds"])}
    metrics, drawn = load_application(settings["application"]).evaluate(flow, arrays, settings, **options)
    metrics |= {
        "train_seconds": result["seconds"],
        "train_steps_per_second": result["steps_per_second"],
        "train_gflops": result["gflops"],
        "peak_memory_mb": result["peak_memory_mb"],
        "train_steps": result["steps"],
    }
    with atomic_directory(out) as folder:
        write_json(folder / "metrics.json", metrics)
        write_arrays(folder / "arrays.npz", {**drawn, "objective": np.array(settings["training"]["objective"])})
        write_json(folder / "provenance.json", provenance(settings))


def _read_reference(folder: str | Path, train_seconds: float) -> dict[str, Any]:
    folder = Path(folder)
    report = read_json(folder / "report.json")
    if sha256_of(folder / "reference.npz") != report["files"]["reference.npz"]["sha256"]:
        raise DataError(f"{folder / 'reference.npz'}: expected the SHA-256 of its report.json; got another")
    return {**read_arrays(folder / "reference.npz"), "report": report, "train_seconds": train_seconds}
