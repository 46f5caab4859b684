"""How inputs and outputs of a flow are cut: `[x | e] <-> [y | z]`, and priors of a y of labels."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from flowpkg.errors import DataError, SettingsError


@dataclass(frozen=True)
class Partition:
    """Dimensions of the four parts of an invertible model.

        inputs  [ x | e ]  --encode-->  outputs [ y | z ]       x + e = y + z = N
                           <--decode--

    Args:
        x: dimensions of what is modelled (points, pixels, physical parameters).
        e: dimensions of the nuisance (data noise, or padding where `x < y`).
        y: dimensions of what is known about x (labels, measured data).
        z: dimensions of the standard normal latent; by default all that y leaves.

    Raises:
        SettingsError: a dimension is negative, x is zero, or the two sides differ.

    Source: Ardizzone et al. 2019, arXiv:1808.04730, section 3.2; the nuisance e follows Zhang & Curtis 2021.

    >>> Partition(x=4, y=2)
    Partition(x=4, e=0, y=2, z=2)
    """

    x: int
    e: int = 0
    y: int = 0
    z: int = -1

    def __post_init__(self) -> None:
        if self.z == -1:
            object.__setattr__(self, "z", self.x + self.e - self.y)
        if self.x < 1 or min(self.e, self.y, self.z) < 0 or self.x + self.e != self.y + self.z:
            raise SettingsError(
                "partition: expected dim x >= 1, no negative dimension and dim x + dim e = dim y + dim z; "
                f"got x={self.x}, e={self.e}, y={self.y}, z={self.z}"
            )

    @property
    def dim(self) -> int:
        """The common dimension N of inputs and outputs."""
        return self.x + self.e

    def to_dict(self) -> dict[str, int]:
        """Return the four dimensions under their names."""
        return asdict(self)


def check_priors(priors, classes: int) -> np.ndarray:
    """Return class priors `[K]`, equal ones for None.

    Raises:
        DataError: another length, a number that is not positive, or a sum other than one.
    """
    if priors is None:
        return np.full(classes, 1.0 / classes)
    priors = np.asarray(priors, np.float64)
    if priors.shape != (classes,) or not (priors > 0).all() or abs(priors.sum() - 1.0) > 1e-6:
        raise DataError(f"priors: expected {classes} positive numbers that add up to 1; got {priors.tolist()}")
    return priors
