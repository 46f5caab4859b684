"""`flowpkg sample`, `score` and `classify` for models of images."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import softmax

from flowpkg.dequantise import to_levels
from flowpkg.diagnostics.image_scores import SCORES, ImageScores
from flowpkg.diagnostics.images import bits_per_dim
from flowpkg.errors import DataError, ModelError, SettingsError
from flowpkg.files import atomic_directory, atomic_path, read_arrays
from flowpkg.image_statistics import ImageEncoder
from flowpkg.latent_basis import LatentBasis
from flowpkg.seeds import generator
from flowpkg.tables import write_table

SHEET = 40  # images on a contact sheet


def _fitted(model: str | Path, flow) -> dict[str, np.ndarray]:
    if flow.image_shape is None:
        raise ModelError(f"{model}: expected a model of images; got one of a table (use --data)")
    return read_arrays(Path(model) / "training_scores.npz")


def _batches(images: str | Path, shape: tuple[int, int, int], step: int) -> Iterator[tuple[np.ndarray, list[str]]]:
    """Yield readable images, as the model needs them, with their names; warn of the others at the end.

    Raises:
        DataError: no readable image.
    """
    from flowpkg.problems.images.reading import ImageReader

    reader, count = ImageReader(shape, step=step), 0
    for block, names in reader.batches(images):
        count += len(names)
        yield block, names
    for name, why in reader.skipped[:20]:
        print(f"flowpkg: warning: {name}: skipped: {why}", file=sys.stderr)
    if reader.skipped:
        print(f"flowpkg: warning: {images}: {len(reader.skipped)} files skipped, {count} images used", file=sys.stderr)
    if not count:
        raise DataError(f"{images}: expected at least one readable image; got none")


def score_images(
    flow,
    model: str | Path,
    images: str | Path,
    out: str | Path,
    *,
    percentile: float = 1.0,
    score: str = "combined",
    seed: int = 0,
    sheet: str | Path | None = None,
) -> None:
    """Write every anomaly score of each image of a folder, and a contact sheet of the most anomalous.

    One row for each file: `file`, `bits_per_dim`, the scores (larger is more anomalous), `training_percentile` (share of
    training images with a lower value of the chosen score) and `anomaly`, true where that score lies above the
    `100 - percentile` percentile of validation images, which training has not seen.

    Args:
        flow: the loaded model.
        model: its folder.
        images: folder, file or `s3://` prefix.
        out: CSV, Parquet or NPZ file.
        percentile: share of normal images to flag, in percent.
        score: the score behind percentile and flag.
        seed: of the dequantisation noise.
        sheet: PNG file of the contact sheet; `<OUT>_most_anomalous.png` by default.

    Raises:
        DataError: no readable image.
        ModelError: a model of something else.
    """
    if score not in SCORES:
        raise SettingsError(f"score: expected --score {', '.join(SCORES)}; got {score}")
    fitted = _fitted(model, flow)
    source = str(Path(model) / "training_scores.npz")
    basis, scores = LatentBasis.from_arrays(fitted, source=source), ImageScores.from_arrays(fitted, source=source)
    step = int(fitted["step"])
    encoder = ImageEncoder(flow, seed=seed, step=step, priors=fitted.get("priors"))
    frames, worst = [], []
    for block, names in _batches(images, flow.image_shape, step):
        statistics = encoder.describe(block, basis).statistics
        found = scores(statistics)
        bits = [bits_per_dim(-statistics.nll[[row]], flow.partition.x, step).value for row in range(len(names))]
        frames.append(pd.DataFrame({"file": names, "bits_per_dim": bits, **found}))
        # Only the most anomalous so far are kept: memory does not grow with the folder.
        worst += [(found[score][row], names[row], block[row]) for row in range(len(names))]
        worst = sorted(worst, key=lambda entry: -entry[0])[:SHEET]
    frame = pd.concat(frames, ignore_index=True)
    frame["training_percentile"] = scores.training_percentile(score, frame[score].to_numpy())
    frame["anomaly"] = scores.above(score, frame[score].to_numpy(), 100.0 - percentile)
    out = Path(out)
    write_table(out, frame)
    sheet = Path(sheet) if sheet else out.with_name(f"{out.stem}_most_anomalous.png")
    flagged = set(frame.loc[frame["anomaly"], "file"])
    labels = [f"{'! ' if name in flagged else ''}{_short(name)}\n{value:.3g}" for value, name, _ in worst]
    _write_sheet(
        sheet,
        np.stack([image for _, _, image in worst]),
        labels,
        f"the most anomalous by the {score} score; ! is flagged",
    )


def classify_images(
    flow,
    model: str | Path,
    images: str | Path,
    out: str | Path,
    *,
    priors: list[float] | None = None,
    percentile: float = 0.1,
    seed: int = 0,
) -> None:
    """Write class probabilities of each image of a folder, and a flag for images unlike anything seen.

    Probabilities are Bayes' rule from the flow's densities, the log-odds divided by the temperature that was fitted on
    validation images. The flag is that of the combined anomaly score, as in `score_images`.

    Args:
        flow, model, images, out, seed: as `score_images`.
        priors: class probabilities before an image is seen; those of training by default.
        percentile: share of normal images to flag, in percent.

    Raises:
        DataError: no readable image, or priors that do not fit.
        ModelError: a model of something else, or without labels.
    """
    from flowpkg.model import check_priors

    fitted = _fitted(model, flow)
    if "priors" not in fitted:
        raise ModelError(f"{model}: expected a model with class labels as y; got one without")
    source = str(Path(model) / "training_scores.npz")
    basis, scores = LatentBasis.from_arrays(fitted, source=source), ImageScores.from_arrays(fitted, source=source)
    chosen = check_priors(fitted["priors"] if priors is None else priors, flow.known_dim)
    step = int(fitted["step"])
    encoder = ImageEncoder(flow, seed=seed, step=step, priors=fitted["priors"])
    frames = []
    for block, names in _batches(images, flow.image_shape, step):
        described = encoder.describe(block, basis)
        # The evidence of the image is tempered, what was known before is not.
        probability = softmax(described.log_prob / float(fitted["label_temperature"]) + np.log(chosen), axis=1)
        combined = scores(described.statistics)["combined"]
        frame = pd.DataFrame({"file": names})
        for index, name in enumerate(flow.y_names):
            frame[f"p_{name}"] = probability[:, index]
        frame["class"] = np.array(flow.y_names)[probability.argmax(axis=1)]
        frame["log_prob_nats"] = -described.statistics.nll
        frame["training_percentile"] = scores.training_percentile("combined", combined)
        frame["unlike_training"] = scores.above("combined", combined, 100.0 - percentile)
        frames.append(frame)
    write_table(out, pd.concat(frames, ignore_index=True))


def sample_images(
    flow,
    model: str | Path,
    n: int,
    out: str | Path,
    *,
    temperature: float = 1.0,
    label: int | None = None,
    seed: int = 0,
    pca: bool = False,
    components: int | None = None,
    covariance_scale: float = 0.25,
) -> None:
    """Write generated images: a folder of PNG files with a grid of the first, one PNG of a grid, or an NPZ file.

    Args:
        flow: the loaded model.
        model: its folder.
        n: number of images.
        out: a folder (a name without ending), or a file ending in .png or .npz.
        temperature: standard deviation of the latents.
        label: class, for a model with labels.
        seed: random seed.
        pca: the articles' PCA sampling instead of the plain prior, `components` and `covariance_scale` as in
            `LatentBasis.sample`.
        components: principal components that vary; 200 or as many as there are by default.
        covariance_scale: factor of their covariance.

    Raises:
        SettingsError: an unknown ending, or more components than the model keeps.
    """
    out = Path(out)
    if out.suffix not in ("", ".png", ".npz"):
        raise SettingsError(f"{out}: expected a folder, or a file ending in .png or .npz; got {out.suffix}")
    fitted = _fitted(model, flow)
    step = int(fitted["step"])
    basis = LatentBasis.from_arrays(fitted, source=str(Path(model) / "training_scores.npz")) if pca else None

    def batches():
        for index, start in enumerate(range(0, n, 250)):
            count = min(250, n - start)
            if basis is None:
                x = flow.sample(count, temperature=temperature, y=label, seed=(seed, index)).x
            else:
                z = basis.sample(
                    count,
                    generator(seed, "pca sampling", index),
                    components=components or min(200, basis.count),
                    covariance_scale=covariance_scale,
                )
                y = None if label is None else np.tile(np.eye(flow.known_dim)[label], (count, 1))
                x = flow.decode(z.astype(np.float32), y).x
            yield start, to_levels(np.asarray(x), flow.image_shape, step)

    if out.suffix == ".npz":
        from flowpkg.files import write_arrays

        write_arrays(out, {"images": np.concatenate([images for _, images in batches()])})
    elif out.suffix == ".png":
        _write_grid(out, np.concatenate([images for _, images in batches()]))
    else:
        with atomic_directory(out) as folder:
            width, first = len(str(n)), []
            for start, images in batches():
                for row, image in enumerate(images):
                    _write_image(folder / f"image_{start + row + 1:0{width}d}.png", image)
                if start < 100:
                    first.append(images[: 100 - start])
            _write_grid(folder / "grid.png", np.concatenate(first))


def _write_image(path: Path, image: np.ndarray) -> None:
    from PIL import Image

    with atomic_path(path) as temporary:
        Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image[..., :3]).save(temporary, "PNG")


def _write_grid(path: Path, images: np.ndarray) -> None:
    """Write images side by side, each pixel enlarged so that a picture of 32 x 32 can be looked at."""
    from flowpkg.figures.image_panels import montage

    factor = max(1, round(96 / max(images.shape[1:3])))
    large = images.repeat(factor, axis=1).repeat(factor, axis=2)
    _write_image(path, montage(large, int(np.ceil(np.sqrt(len(images)))), gap=factor))


def _write_sheet(path: Path, images: np.ndarray, labels: list[str], title: str) -> None:
    import matplotlib.pyplot as plt

    from flowpkg.figures.image_panels import sheet_height, show_images
    from flowpkg.figures.style import WIDTH, save_figure, use_style

    with use_style():
        columns = min(8, len(images))
        width = WIDTH * columns / 8
        height = sheet_height(-(-len(images) // columns), columns, images.shape[1:3], width=width, labelled=True)
        figure, ax = plt.subplots(figsize=(max(width, 3.5), height + 0.4))
        show_images(ax, images, columns, labels=labels, title=title, label_size=5.5)
        save_figure(figure, path, {"figure": "most anomalous"}, 200)


def _short(name: str, most: int = 18) -> str:
    return name if len(name) <= most else "…" + name[-most + 1 :]
