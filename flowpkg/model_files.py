"""The files of a saved model, read and checked without TensorFlow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from flowpkg.errors import DataError, ModelError
from flowpkg.files import read_arrays, read_json, sha256_of

FORMAT = "flow_models model"
FORMAT_VERSION = 1


def read_model_files(folder: str | Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Read and check `architecture.json` and `weights.npz` of a saved model, without building it.

    Raises:
        ModelError: as `FlowModel.load`.
    """
    folder = Path(folder)
    path = folder / "weights.npz"
    try:
        architecture = read_json(folder / "architecture.json")
        if not isinstance(architecture, dict) or architecture.get("format") != FORMAT:
            raise ModelError(f"{folder / 'architecture.json'}: expected format '{FORMAT}'; got another JSON file")
        if architecture["format_version"] != FORMAT_VERSION:
            raise ModelError(
                f"{folder / 'architecture.json'}: expected format version {FORMAT_VERSION}; "
                f"got {architecture['format_version']}"
            )
        if not path.exists():
            raise ModelError(f"{path}: expected the weights of the model; got no such file")
        digest = sha256_of(path)
        if digest != architecture["weights_sha256"]:
            raise ModelError(
                f"{path}: expected SHA-256 {architecture['weights_sha256'][:12]}...; got {digest[:12]}... "
                "(the file is truncated, damaged or of another model)"
            )
        return architecture, read_arrays(path)
    except DataError as error:
        raise ModelError(str(error)) from None
    except KeyError as error:
        raise ModelError(f"{folder / 'architecture.json'}: expected the key {error}; got none") from None
