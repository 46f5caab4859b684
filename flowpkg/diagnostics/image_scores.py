"""Anomaly scores of images from what a flow says about them, all fitted on normal images only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from flowpkg.errors import DataError

SCORES = ("nll", "typicality", "latent", "complexity", "combined")
GROUP_SIZES = (5, 10)
LEVELS = np.linspace(0.0, 1.0, 1001)


@dataclass(frozen=True)
class Statistics:
    """What scores are made of: `nll [n]` in nats, `code_bits [n]`, latent statistics `latent [n, s]`."""

    nll: np.ndarray
    code_bits: np.ndarray
    latent: np.ndarray

    @classmethod
    def joined(cls, parts: list[Statistics]) -> Statistics:
        """Return the rows of several as one."""
        return cls(*(np.concatenate([getattr(part, key) for part in parts]) for key in ("nll", "code_bits", "latent")))

    def all(self) -> np.ndarray:
        """Return every statistic, `[n, s + 2]`."""
        return np.column_stack([self.nll, self.code_bits, self.latent])


@dataclass(frozen=True)
class ImageScores:
    """Anomaly scores; larger is more anomalous.

        nll         -log q(x), in nats
        typicality  |nll - mean nll of training images|
        latent      Mahalanobis distance of the latent statistics from those of validation images
        complexity  nll in bits minus the length of the image as PNG
        combined    Mahalanobis distance of nll, code length and latent statistics together

    The combined score sees a likelihood that is odd for an image so simple, in either direction, which is what
    the raw likelihood alone cannot see.

    Source: Nalisnick et al. 2019, arXiv:1906.02994 (typicality); Serra et al. 2020, arXiv:1909.11480
    (complexity); Mahalanobis distance of statistics after Morningstar et al. 2021, arXiv:2006.09273.
    """

    train_nll: float
    centre: np.ndarray
    precision: np.ndarray
    latent_precision: np.ndarray
    train_quantiles: Mapping[str, np.ndarray]
    validation_quantiles: Mapping[str, np.ndarray]

    @classmethod
    def fit(cls, train: Statistics, validation: Statistics) -> ImageScores:
        """Fit to normal images: location of the likelihood on training, the rest on validation images.

        Raises:
            DataError: too few validation images for the covariance of the statistics.
        """
        rows = validation.all()
        if len(rows) < 2 * rows.shape[1]:
            raise DataError(
                f"validation images: expected at least {2 * rows.shape[1]} for the anomaly scores; got {len(rows)}"
            )
        fitted = cls(
            train_nll=float(train.nll.mean()),
            centre=rows.mean(axis=0),
            precision=_precision(rows),
            latent_precision=_precision(rows[:, 2:]),
            train_quantiles={},
            validation_quantiles={},
        )
        train_scores, validation_scores = fitted(train), fitted(validation)
        return cls(
            **{
                **vars(fitted),
                "train_quantiles": {name: np.quantile(value, LEVELS) for name, value in train_scores.items()},
                "validation_quantiles": {name: np.quantile(value, LEVELS) for name, value in validation_scores.items()},
            }
        )

    def __call__(self, statistics: Statistics) -> dict[str, np.ndarray]:
        """Return every score, `[n]` each; one that is not finite becomes the largest float32."""
        gap = statistics.all() - self.centre
        scores = {
            "nll": statistics.nll,
            "typicality": np.abs(statistics.nll - self.train_nll),
            "latent": _distance(gap[:, 2:], self.latent_precision),
            "complexity": statistics.nll / np.log(2.0) - statistics.code_bits,
            "combined": _distance(gap, self.precision),
        }
        most = float(np.finfo(np.float32).max)
        return {name: np.nan_to_num(value, nan=most, posinf=most, neginf=-most) for name, value in scores.items()}

    def grouped_typicality(self, nll: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
        """Return |mean nll of a group - mean nll of training images| of disjoint random groups, `[n // size]`."""
        order = rng.permutation(len(nll))[: len(nll) // size * size]
        return np.abs(nll[order].reshape(-1, size).mean(axis=1) - self.train_nll)

    def training_percentile(self, name: str, score: np.ndarray) -> np.ndarray:
        """Return the share of training images with a lower score, in percent."""
        return np.interp(score, self.train_quantiles[name], 100.0 * LEVELS)

    def above(self, name: str, score: np.ndarray, percentile: float) -> np.ndarray:
        """Return which scores lie above a percentile of validation images, which training has not seen."""
        return score > np.interp(percentile / 100.0, LEVELS, self.validation_quantiles[name])

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return plain arrays that `from_arrays` reads."""
        plain = {
            "image_train_nll": np.array(self.train_nll),
            "image_centre": self.centre,
            "image_precision": self.precision,
            "image_latent_precision": self.latent_precision,
        }
        for split, quantiles in (("train", self.train_quantiles), ("validation", self.validation_quantiles)):
            plain |= {f"image_{split}_quantiles_{name}": quantiles[name] for name in SCORES}
        return plain

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray], *, source: str = "scores") -> ImageScores:
        """Rebuild from `to_arrays`.

        Raises:
            DataError: an array is missing.
        """
        try:
            return cls(
                float(arrays["image_train_nll"]),
                arrays["image_centre"],
                arrays["image_precision"],
                arrays["image_latent_precision"],
                *(
                    {name: arrays[f"image_{split}_quantiles_{name}"] for name in SCORES}
                    for split in ("train", "validation")
                ),
            )
        except KeyError as error:
            raise DataError(f"{source}: expected the anomaly scores of an image model; {error} is missing") from None


def _precision(rows: np.ndarray) -> np.ndarray:
    covariance = np.atleast_2d(np.cov(rows, rowvar=False))
    # Scaled to unit variances first: the statistics have units of their own.
    scale = np.sqrt(np.diag(covariance))
    scale[scale == 0] = 1.0
    return np.linalg.pinv(covariance / np.outer(scale, scale), rcond=1e-8, hermitian=True) / np.outer(scale, scale)


def _distance(gap: np.ndarray, precision: np.ndarray) -> np.ndarray:
    return np.sqrt(np.clip(np.einsum("ni,ij,nj->n", gap, precision, gap), 0.0, None))
