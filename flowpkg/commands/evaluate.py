"""`flowpkg evaluate`: measure a trained flow and write what the figures are drawn from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from flowpkg.applications import load_application
from flowpkg.commands.data import read_data
from flowpkg.errors import ModelError
from flowpkg.files import atomic_directory, read_arrays, read_json, write_arrays, write_json
from flowpkg.provenance import provenance
from flowpkg.tensorflow_setup import set_up_tensorflow

# Measured times and memory: the only metrics that differ between two runs on one machine.
MEASURED_KEYS = (
    "samples_per_second",
    "sampling_seconds",
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
    threads: int = 0,
    gpus: int | None = None,
) -> None:
    """Write `metrics.json`, `arrays.npz` and `provenance.json` into a folder.

    Args:
        settings: the run's complete settings.
        data: folder of `flowpkg prepare`.
        model: folder of `flowpkg train`.
        out: folder of the evaluation; replaced as a whole at the end.
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
    metrics, drawn = load_application(settings["application"]).evaluate(flow, arrays, settings)
    result = read_json(Path(model) / "training.json")["result"]
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
