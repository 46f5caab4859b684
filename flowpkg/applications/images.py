"""What both image applications share: groups of images, anomaly scores, rows of images for figures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from flowpkg.dequantise import to_levels
from flowpkg.diagnostics.anomaly import auroc, roc_curve
from flowpkg.diagnostics.image_scores import GROUP_SIZES, SCORES, ImageScores
from flowpkg.diagnostics.images import PixelFeatures, bits_per_dim, blurred, scrambled
from flowpkg.image_statistics import Described, ImageEncoder
from flowpkg.latent_basis import LatentBasis
from flowpkg.seeds import generator, tensorflow_seed

NORMAL = "normal"


class Trained:
    """A trained image flow with what was fitted to its training and validation images.

    Args:
        model: the `FlowModel`.
        data: arrays of the data, with `training_scores` (arrays beside the model) and `image` (the manifest's
            description of the images).
        settings: the run's complete settings.
    """

    def __init__(self, model, data: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
        fitted = data["training_scores"]
        self.model, self.seed, self.options = model, settings["seed"], settings["evaluation"]
        self.shape, self.step = tuple(data["test_x"].shape[1:]), int(fitted["step"])
        self.dim = int(np.prod(self.shape))
        self.priors = fitted.get("priors")
        self.basis, self.scores = LatentBasis.from_arrays(fitted), ImageScores.from_arrays(fitted)
        self.encoder = ImageEncoder(model, seed=self.seed, step=self.step, priors=self.priors)
        self.fitted = fitted

    def describe(self, images: np.ndarray) -> Described:
        """Return the statistics of images `[n, H, W, C]`."""
        return self.encoder.describe(images, self.basis)

    def decode(self, z: np.ndarray, y: np.ndarray | None = None) -> np.ndarray:
        """Return latents `[n, N_z]` as images of levels, uint8 `[n, H, W, C]`."""
        parts = []
        for start in range(0, len(z), self.encoder.chunk):
            rows = slice(start, start + self.encoder.chunk)
            x = self.model.decode(z[rows].astype(np.float32), None if y is None else y[rows]).x
            parts.append(to_levels(np.asarray(x), self.shape, self.step))
        return np.concatenate(parts)

    def sample(self, n: int, *purpose: str | int, temperature: float = 1.0, label: int | None = None) -> np.ndarray:
        """Return samples of the flow as images of levels, uint8 `[n, H, W, C]`."""
        parts = []
        for index, start in enumerate(range(0, n, self.encoder.chunk)):
            x = self.model.sample(
                min(self.encoder.chunk, n - start),
                temperature=temperature,
                y=label,
                seed=tensorflow_seed(self.seed, *purpose, index),
            ).x
            parts.append(to_levels(np.asarray(x), self.shape, self.step))
        return np.concatenate(parts)

    def round_trip(self, images: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the largest |decode(encode(x)) - x| as a share of the pixel range, and the images that come back."""
        worst, parts = 0.0, []
        labels = None
        for start in range(0, len(images), self.encoder.chunk):
            x = self.encoder.dequantised(images[start : start + self.encoder.chunk])
            if self.model.context_dim:
                labels = np.tile(np.eye(self.model.context_dim)[0], (len(x), 1))
            outputs = self.model.encode(x, None, labels)
            back = np.asarray(self.model.decode(outputs.z, outputs.y if self.model.known_dim else None).x)
            worst = max(worst, float(np.abs(back - x).max()) / 256.0)
            parts.append(to_levels(back, self.shape, self.step))
        return worst, np.concatenate(parts)

    def bits(self, test: Described) -> dict[str, dict[str, float]]:
        """Return `bits_per_dim` and `bits_per_dim_se` of the three splits."""
        held = bits_per_dim(-test.statistics.nll, self.dim, self.step)
        groups: dict[str, dict[str, float]] = {"bits_per_dim": {}, "bits_per_dim_se": {}}
        for split in ("train", "validation"):
            groups["bits_per_dim"][split] = float(self.fitted[f"bits_per_dim_{split}"])
            groups["bits_per_dim_se"][split] = float(self.fitted[f"bits_per_dim_{split}_se"])
        groups["bits_per_dim"]["test"], groups["bits_per_dim_se"]["test"] = held
        return groups

    def nll_bits(self, described: Described) -> np.ndarray:
        """Return each image's negative log-likelihood in bits per dimension, `[n]`."""
        return described.statistics.nll / (self.dim * np.log(2.0)) - np.log2(self.step)


def odd_groups(data: Mapping[str, Any], trained: Trained) -> dict[str, np.ndarray]:
    """Return images that are not what the flow was trained on, by kind.

    The run's own anomalies, and held-out images that were tampered with: `blurred`, a smooth image of the right
    kind, and `scrambled`, its quadrants exchanged, as `evaluation.probes` asks.
    """
    test, kind = data["test_x"], data.get("anomaly_kind", np.zeros(0, np.int32))
    groups = {
        str(name): data["anomaly_x"][np.flatnonzero(kind == index)]
        for index, name in enumerate(data["image"]["anomaly_kinds"])
    }
    if "blurred" in trained.options["probes"]:
        groups["blurred"] = blurred(np.asarray(test), trained.options["blur"], trained.step)
    if "scrambled" in trained.options["probes"]:
        groups["scrambled"] = scrambled(np.asarray(test), generator(trained.seed, "scramble"))
    return {name: images for name, images in groups.items() if len(images) > 1}


def judge_anomalies(
    trained: Trained, data: Mapping[str, Any], normal: Described, odd: Mapping[str, Described], images: Mapping
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Measure every anomaly score on every kind, beside a score that needs no flow.

    Args:
        trained: the flow.
        data: arrays of the data.
        normal: held-out images.
        odd: the other kinds.
        images: the images of all kinds, normal ones included.

    Returns:
        Metrics `auroc`, `auroc_low`, `auroc_high` (kind, then score), `auroc_best` with its interval (kind; the score
        named in `evaluation.anomaly_score`), `anomaly_rows`; arrays for histograms and ROC curves.
    """
    seed, replicates = trained.seed, trained.options["bootstrap_replicates"]
    features = PixelFeatures.fit(data["train_x"], trained.options["feature_components"], generator(seed, "features"))
    scores = {
        kind: trained.scores(found.statistics) | {"pca_no_flow": features.residual(images[kind])}
        for kind, found in {NORMAL: normal, **odd}.items()
    }
    arrays = {f"score_{kind}_{name}": value for kind, by in scores.items() for name, value in by.items()}
    for kind, found in {NORMAL: normal, **odd}.items():
        arrays[f"score_{kind}_nll"] = trained.nll_bits(found)
    for size in GROUP_SIZES:
        for kind, found in {NORMAL: normal, **odd}.items():
            if len(found.statistics.nll) >= 2 * size:
                scores[kind][f"typicality_{size}"] = trained.scores.grouped_typicality(
                    found.statistics.nll, size, generator(seed, "groups", kind, size)
                )
    metrics: dict[str, Any] = {key: {} for key in ("auroc", "auroc_low", "auroc_high", "anomaly_rows")}
    best = trained.options["anomaly_score"]
    for kind in odd:
        metrics["anomaly_rows"][kind] = len(images[kind])
        shared = [name for name in scores[kind] if name in scores[NORMAL]]
        for name in shared:
            area = auroc(
                scores[NORMAL][name], scores[kind][name], generator(seed, "auroc", kind, name), replicates=replicates
            )
            for key, value in zip(("auroc", "auroc_low", "auroc_high"), area, strict=True):
                metrics[key].setdefault(kind, {})[name] = value
            arrays[f"roc_{kind}_{name}_fpr"], arrays[f"roc_{kind}_{name}_tpr"] = roc_curve(
                scores[NORMAL][name], scores[kind][name]
            )
    for key in ("auroc", "auroc_low", "auroc_high"):
        suffix = key.removeprefix("auroc")
        metrics[f"auroc_best{suffix}"] = {kind: metrics[key][kind][best] for kind in odd}
    arrays |= {
        "kinds": np.array(list(odd)),
        "score_names": np.array([*SCORES, "pca_no_flow"]),
        "best_score": np.array(best),
    }
    return metrics, arrays
