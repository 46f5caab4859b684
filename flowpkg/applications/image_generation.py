"""Application 2: generate images, and tell images of another kind from those the flow was trained on."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from flowpkg.applications.images import NORMAL, Trained, judge_anomalies, odd_groups
from flowpkg.diagnostics.images import PixelFeatures, frechet_check, nearest_neighbours, ratio_of_means
from flowpkg.latent_basis import spherical, straight
from flowpkg.metrics import plain
from flowpkg.partition import Partition
from flowpkg.seeds import generator

FIGURES = (
    "generated_images",
    "latent_outliers",
    "latent_planes",
    "round_trip_images",
    "interpolations",
    "nearest_images",
    "bits_over_training",
)
ANOMALY_FIGURES = ("image_scores", "image_roc", "likelihood_misleads")
SHOWN = 8  # images in a row of a figure
FIRST = 1000  # training images in the latent plane


def partition(widths: Mapping[str, int], settings: Mapping[str, Any]) -> tuple[Partition, int]:
    """Return the partition, all pixels mapped to z, and the width of the context, 0."""
    return Partition(x=widths["x"]), 0


def figures(settings: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the figures of a run with these settings."""
    anomalies = settings["problem"].get("anomalies") or settings["evaluation"]["probes"]
    return (*FIGURES, *(ANOMALY_FIGURES if anomalies else ()))


def evaluate(model, data: Mapping[str, Any], settings: Mapping[str, Any]):
    """Measure generated images and anomaly scores on held-out images.

    Args:
        model: the trained `FlowModel`.
        data: images `train_x`, `test_x`, `anomaly_x` (uint8, memory maps), `anomaly_kind`, the manifest's
            `image`, and `training_scores`.
        settings: the run's complete settings.

    Returns:
        Metrics (see config/README.md for each key) and the arrays that the figures are drawn from.
    """
    trained = Trained(model, data, settings)
    train, test = data["train_x"], np.asarray(data["test_x"])
    described = trained.describe(test)
    worst, back = trained.round_trip(test[: max(SHOWN, 64)])
    metrics: dict[str, Any] = {"heldout_rows": len(test), "round_trip_max_abs": worst} | trained.bits(described)
    arrays = {
        "image_shape": np.array(trained.shape),
        "step": np.array(trained.step),
        "round_trip_before": test[:SHOWN],
        "round_trip_after": back[:SHOWN],
        "test_bits": np.array(metrics["bits_per_dim"]["test"]),
    }
    started = time.perf_counter()
    generated = trained.sample(len(test), "generated")
    metrics["samples_per_second"] = len(test) / (time.perf_counter() - started)
    more_metrics, more_arrays = _two_sample(trained, train, test, generated)
    metrics, arrays = metrics | more_metrics, arrays | more_arrays
    arrays |= _latent_plane(trained, train, described, generated)
    arrays |= _interpolations(trained, test)
    groups = odd_groups(data, trained)
    if groups:
        odd = {kind: trained.describe(images) for kind, images in groups.items()}
        more_metrics, more_arrays = judge_anomalies(trained, data, described, odd, {NORMAL: test, **groups})
        metrics, arrays = metrics | more_metrics, arrays | more_arrays
        for kind, found in odd.items():
            arrays[f"plane_{kind}"] = found.plane[:FIRST]
            arrays[f"images_{kind}"] = np.asarray(groups[kind][:SHOWN])
    return plain(metrics), arrays


def _two_sample(trained: Trained, train, test, generated):
    """Compare generated with held-out images, at every temperature, and look for copies."""
    options, seed = trained.options, trained.seed
    features = PixelFeatures.fit(train, options["feature_components"], generator(seed, "features"))
    held = features(test)

    def check(images):
        return frechet_check(held, features(images), generator(seed, "frechet"))

    plain_prior = check(generated)
    rows, ratios = [], []
    for temperature in options["temperatures"]:
        images = generated
        if temperature != 1.0:
            images = trained.sample(len(test), "temperature", round(1000 * temperature), temperature=temperature)
        ratios.append(check(images).ratio)
        rows.append(images[: 2 * SHOWN])
    drawn = trained.basis.sample(
        len(test),
        generator(seed, "pca sampling"),
        components=min(options["pca_components"], trained.basis.count),
        covariance_scale=options["pca_covariance_scale"],
    )
    by_components = trained.decode(drawn)
    pca = check(by_components)
    index, distance = nearest_neighbours(generated, train)
    held_index, held_distance = nearest_neighbours(test, train)
    copies = ratio_of_means(distance, held_distance)
    metrics = {
        "frechet_distance": plain_prior.generated.value,
        "frechet_distance_se": plain_prior.generated.standard_error,
        "frechet_distance_halves": plain_prior.halves.value,
        "frechet_distance_halves_se": plain_prior.halves.standard_error,
        "frechet_ratio": plain_prior.ratio.value,
        "frechet_ratio_se": plain_prior.ratio.standard_error,
        "frechet_ratio_pca_sampling": pca.ratio.value,
        "frechet_ratio_pca_sampling_se": pca.ratio.standard_error,
        "nearest_neighbour_ratio": copies.value,
        "nearest_neighbour_ratio_se": copies.standard_error,
    }
    # The generated images closest to a training image: if any were copies, these would be.
    closest = np.argsort(distance)[:SHOWN]
    arrays = {
        "temperatures": np.array(options["temperatures"]),
        "temperature_images": np.stack(rows),
        "temperature_frechet_ratio": np.array([ratio.value for ratio in ratios]),
        "temperature_frechet_ratio_se": np.array([ratio.standard_error for ratio in ratios]),
        "pca_images": by_components[: 2 * SHOWN],
        "pca_components": np.array(min(options["pca_components"], trained.basis.count)),
        "pca_covariance_scale": np.array(options["pca_covariance_scale"]),
        "heldout_images": test[: 2 * SHOWN],
        "nearest_generated": generated[closest],
        "nearest_train": _rows(train, index[closest]),
        "nearest_distance": distance[closest],
        "nearest_heldout": test[:SHOWN],
        "nearest_heldout_train": _rows(train, held_index[:SHOWN]),
        "nearest_heldout_distance": held_distance[:SHOWN],
        "neighbour_distance_generated": distance,
        "neighbour_distance_heldout": held_distance,
    }
    return metrics, arrays


def _latent_plane(trained: Trained, train, described, generated):
    """Latents of the first training images in two principal components, the farthest and nearest of them decoded."""
    first, latents = [], []
    for _, encoded in trained.encoder.chunks(train[:FIRST]):
        first.append(trained.basis.components(encoded.z, 2))
        latents.append(encoded.z.astype(np.float32))
    plane, latent = np.concatenate(first), np.concatenate(latents)
    order = np.argsort(np.linalg.norm(plane, axis=1), kind="stable")
    central, outlier = order[:SHOWN], order[::-1][:SHOWN]
    return {
        "plane_train": plane,
        "plane_heldout": described.plane[:FIRST],
        "plane_generated": trained.describe(generated[:FIRST]).plane,
        "outlier_index": outlier,
        "outlier_images": trained.decode(latent[outlier]),
        "central_index": central,
        "central_images": trained.decode(latent[central]),
    }


def _interpolations(trained: Trained, test, pairs: int = 3):
    """Held-out images blended in latent space, along a line and along an arc."""
    z = trained.encoder(test[: 2 * pairs]).z
    rows = [way(z[2 * pair], z[2 * pair + 1], SHOWN) for pair in range(len(z) // 2) for way in (straight, spherical)]
    images = trained.decode(np.concatenate(rows))
    return {"interpolation_images": images.reshape(len(z) // 2, 2, SHOWN, *trained.shape)}


def _rows(images, index) -> np.ndarray:
    """Return chosen rows of a memory map, read one by one."""
    return np.stack([np.asarray(images[i]) for i in index])
