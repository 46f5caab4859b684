"""Real handwritten digits, 8 x 8."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from flowpkg.problems.base import require
from flowpkg.problems.images.base import ImageProblem, split_rows


class Digits(ImageProblem):
    """The 1,797 handwritten digits that come with scikit-learn: 8 x 8 pixels of 17 grey levels, 0 to 16.

    The levels are stored as `15 * level`, 0 to 240, so that they fill an 8-bit image; `step = 15` says so.
    Dequantisation fills the whole gap, x = 15 (level + u) with u uniform in [0, 1), and bits per dimension are those of
    the 17 levels:

        bits_per_dim = -log2 p(x) / 64 - log2(15),   at most log2 17 = 4.09 for a model that knows nothing

    They are not comparable with bits per dimension of true 8-bit images, whose upper limit is 8.

    Args:
        normal: digits modelled without labels; all that are not anomalies if neither `normal` nor `classes` is given.
        classes: digits modelled with labels as y.
        anomalies: digits that are kept out of training.

    Raises:
        SettingsError: not a digit, or a digit with two roles.

    Source: Alpaydin & Kaynak 1998, UCI "Optical recognition of handwritten digits", test part; `sklearn.datasets.load_digits`.
    """

    shape = (8, 8, 1)
    step = 15

    def __init__(self, normal=(), classes=(), anomalies=()) -> None:
        for key, digits in (("normal", normal), ("classes", classes), ("anomalies", anomalies)):
            for digit in digits:
                require(digit in range(10), key, "digits from 0 to 9", digit)
        if not normal and not classes:
            normal = [digit for digit in range(10) if digit not in anomalies]
        super().__init__(normal, classes, anomalies)

    def batches(self, seed: int, sizes: Mapping[str, Any]) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
        """Yield the splits; `validation_fraction` and `test_fraction` of each digit are kept from training."""
        from sklearn.datasets import load_digits

        images, labels = load_digits(return_X_y=True)
        images = (self.step * images.reshape(-1, *self.shape)).astype(np.uint8)
        kept = np.flatnonzero(np.isin(labels, [int(name) for name in self.class_names]))
        rows = split_rows(labels[kept], seed, sizes["validation_fraction"], sizes["test_fraction"])
        for split, chosen in rows.items():
            places = [self.class_names.index(str(label)) for label in labels[kept[chosen]]]
            yield split, images[kept[chosen]], np.array(places)
        for place, kind in enumerate(self.anomaly_kinds):
            found = images[labels == int(kind)]
            yield "anomaly", found, np.full(len(found), place)
