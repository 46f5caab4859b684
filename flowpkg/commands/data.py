"""Read what `flowpkg prepare` wrote."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from flowpkg.errors import DataError
from flowpkg.files import read_array, read_json

# Larger arrays stay on disk and are read page by page.
MAPPED_BYTES = 64 * 2**20


def read_data(folder: str | Path) -> tuple[dict[str, np.ndarray], list[str], list[str]]:
    """Return the arrays of a data folder by name (`train_x`, ...), and the names of the x and y columns.

    Arrays above 64 MiB, and images of any size, are memory maps.

    Raises:
        DataError: a file is missing, damaged, or differs from the manifest.
    """
    folder = Path(folder)
    manifest = read_json(folder / "manifest.json")
    arrays = {}
    for name, described in manifest["files"].items():
        large = math.prod(described["shape"]) * 8 > MAPPED_BYTES or ("image" in manifest and name.endswith("_x.npy"))
        array = read_array(folder / name, mmap=large)
        if list(array.shape) != described["shape"]:
            raise DataError(f"{folder / name}: expected shape {described['shape']}; got {list(array.shape)}")
        arrays[Path(name).stem] = array
    return arrays, manifest["names"], manifest.get("y_names", [])
