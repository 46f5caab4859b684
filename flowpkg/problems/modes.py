"""Eight labelled Gaussian modes."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import logsumexp

from flowpkg.problems.base import Box, require

_LONG = 1.0 + math.sqrt(2.0)
# A regular octagon; counter-clockwise from the first quadrant.
CENTRES = np.array(
    [(_LONG, 1), (1, _LONG), (-1, _LONG), (-_LONG, 1), (-_LONG, -1), (-1, -_LONG), (1, -_LONG), (_LONG, -1)]
)
LABELLINGS = {
    "all": (0, 1, 2, 3, 4, 5, 6, 7),
    "some": (0, 0, 0, 0, 1, 1, 2, 3),
    "none": (0, 0, 0, 0, 0, 0, 0, 0),
}


class Modes:
    """Equal Gaussian modes on an octagon, with class labels.

        p(x, k) = 1/8 sum over modes i with label k of N(x; c_i, scale^2 I),  c_i = (+-2.4142, +-1), (+-1, +-2.4142)

    As a data set: x `[n, 2]`, y `[n, K]` one-hot labels, and standard normal padding e `[n, K]`, because the
    outputs hold K labels beside a latent as wide as x.

    Args:
        labelling: `all` (0 to 7), `some` (0,0,0,0,1,1,2,3) or `none` (one label).
        scale: standard deviation of a mode; 0.2 as in the paper.

    Raises:
        SettingsError: a setting is out of range.

    Source: Ardizzone et al. 2019, arXiv:1808.04730, section 4.1.
    """

    dim = 2

    def __init__(self, labelling: str = "some", scale: float = 0.2) -> None:
        require(labelling in LABELLINGS, "labelling", f"one of {', '.join(LABELLINGS)}", labelling)
        require(scale > 0, "scale", "a number > 0", scale)
        self.mode_label = np.array(LABELLINGS[labelling])
        self.classes = int(self.mode_label.max()) + 1
        self.scale = float(scale)
        self.centres = CENTRES
        self.names = ["x1", "x2"]
        self.y_names = [f"label_{k}" for k in range(self.classes)]

    @property
    def priors(self) -> np.ndarray:
        """Class probabilities `[K]`: the share of modes that carry each label."""
        return np.bincount(self.mode_label, minlength=self.classes) / len(self.mode_label)

    def sample(self, n: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Draw x `[n, 2]`, e `[n, K]` and one-hot y `[n, K]`."""
        mode = rng.integers(0, len(self.centres), n)
        x = self.centres[mode] + self.scale * rng.standard_normal((n, 2))
        return {
            "x": x,
            "e": rng.standard_normal((n, self.classes)),
            "y": np.eye(self.classes)[self.mode_label[mode]],
        }

    def sample_label(self, label: int, n: int, rng: np.random.Generator) -> np.ndarray:
        """Draw `[n, 2]` points of one label."""
        modes = np.flatnonzero(self.mode_label == label)
        return self.centres[rng.choice(modes, n)] + self.scale * rng.standard_normal((n, 2))

    def nearest_mode(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the nearest mode of `[n, 2]` points and the distance to it in standard deviations."""
        distance = np.sqrt(((np.asarray(x, float)[:, None, :] - self.centres) ** 2).sum(axis=-1)) / self.scale
        return distance.argmin(axis=1), distance.min(axis=1)

    def label_log_prob(self, x: np.ndarray) -> np.ndarray:
        """Return the exact log p(x | k) in nats, `[n, K]`."""
        square = ((np.asarray(x, float)[:, None, :] - self.centres) ** 2).sum(axis=-1)
        mode = -0.5 * square / self.scale**2 - math.log(2.0 * math.pi * self.scale**2)
        columns = [
            logsumexp(mode[:, self.mode_label == k], axis=1) - math.log((self.mode_label == k).sum())
            for k in range(self.classes)
        ]
        return np.stack(columns, axis=1)

    def view(self) -> Box:
        """Return the box to draw."""
        reach = float(self.centres.max()) + 5.0 * self.scale
        return (-reach, reach), (-reach, reach)
