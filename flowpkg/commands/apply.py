"""`flowpkg sample`, `score` and `info`: a trained model on new data."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd

from flowpkg.errors import DataError, ModelError, SettingsError
from flowpkg.files import read_arrays
from flowpkg.problems import load_problem
from flowpkg.problems.simulator import Simulator
from flowpkg.seeds import generator
from flowpkg.tables import numeric, read_table, write_table
from flowpkg.tensorflow_setup import set_up_tensorflow


def _load(model: str | Path):
    set_up_tensorflow()
    from flowpkg.model import FlowModel

    return FlowModel.load(model)


def sample(
    model: str | Path,
    n: int,
    out: str | Path,
    *,
    temperature: float = 1.0,
    label: int | None = None,
    seed: int = 0,
    pca: bool = False,
    components: int | None = None,
    covariance_scale: float | None = None,
) -> None:
    """Write `n` samples of a model as a table with the training data's column names, or as images.

    For images and the last three arguments see `sample_images`.

    Raises:
        SettingsError: `n` or `temperature` out of range, or PCA sampling of a model of something else.
        ModelError: the model cannot be loaded.
    """
    if n < 1 or not temperature > 0:
        raise SettingsError(f"sample: expected -n >= 1 and --temperature > 0; got {n} and {temperature}")
    flow = _load(model)
    if flow.known_dim and label is None:
        raise SettingsError("sample: expected --label for a model with labels, or flowpkg posterior for data; got none")
    if label is not None and not flow.known_dim:
        raise SettingsError(f"sample: expected no --label, because this model knows no labels; got {label}")
    if label is not None and not 0 <= label < flow.known_dim:
        raise SettingsError(f"sample: expected --label from 0 to {flow.known_dim - 1}; got {label}")
    if not pca and (components is not None or covariance_scale is not None):
        raise SettingsError("sample: expected --pca with --components and --covariance-scale; got none")
    if flow.image_shape is not None:
        from flowpkg.commands.images import sample_images

        more = {} if covariance_scale is None else {"covariance_scale": covariance_scale}
        sample_images(
            flow, model, n, out, temperature=temperature, label=label, seed=seed, pca=pca, components=components, **more
        )
        return
    if pca:
        raise SettingsError("sample: expected no --pca, which is for models of images; got --pca")
    drawn = flow.sample(n, temperature=temperature, y=label, seed=(seed, 0)).x.numpy()
    write_table(out, pd.DataFrame(drawn, columns=flow.names))


def score(
    model: str | Path,
    out: str | Path,
    *,
    data: str | Path | None = None,
    images: str | Path | None = None,
    percentile: float = 1.0,
    score: str = "combined",
    sheet: str | Path | None = None,
) -> None:
    """Write log-density, training percentile and anomaly flag of each row of a table, or of each image of a folder.

    The percentile is the share of training rows with a lower log-density, in percent; rows below `percentile`
    are flagged. Columns are found by name; a table without those names is taken by position if its width fits.
    For images see `score_images`.

    Raises:
        DataError: the table cannot be read, has another width, or holds NaN or infinity.
        ModelError: the model cannot be loaded.
    """
    if not 0 <= percentile <= 100:
        raise SettingsError(f"score: expected --percentile from 0 to 100; got {percentile}")
    _one_source("score", data, images)
    flow = _load(model)
    if images is not None:
        from flowpkg.commands.images import score_images

        score_images(flow, model, images, out, percentile=percentile, score=score, sheet=sheet)
        return
    _no_images(flow, model)
    if flow.known_dim:
        raise SettingsError("score: expected a model without y; use flowpkg classify or flowpkg posterior")
    values = _columns(data, flow.names)
    log_prob = np.asarray(flow.log_prob(values), np.float64)
    quantiles = read_arrays(Path(model) / "training_scores.npz")["log_prob_quantiles"]
    rank = np.interp(log_prob, quantiles, np.linspace(0.0, 100.0, len(quantiles)))
    write_table(
        out, pd.DataFrame({"log_prob_nats": log_prob, "training_percentile": rank, "anomaly": rank < percentile})
    )


def _one_source(command: str, data: str | Path | None, images: str | Path | None) -> None:
    if (data is None) == (images is None):
        raise SettingsError(f"{command}: expected either --data or --images; got {'none' if data is None else 'both'}")


def _no_images(flow, model: str | Path) -> None:
    if flow.image_shape is not None:
        raise ModelError(f"{model}: expected a model of a table; got one of images (use --images)")


def _columns(path: str | Path, names: list[str]) -> np.ndarray:
    """Read columns by name, or by position if no name fits but the width does."""
    frame = read_table(path)
    if not set(names) <= set(map(str, frame.columns)):
        if frame.shape[1] != len(names):
            raise DataError(
                f"{path}: expected the model's {len(names)} columns ({', '.join(names[:6])}"
                f"{', ...' if len(names) > 6 else ''}); got {frame.shape[1]} columns"
            )
        names = list(frame.columns)
    return numeric(frame, names, source=str(path))[0]


def posterior(
    model: str | Path,
    observe: str | Path,
    out: str | Path,
    *,
    n: int = 1000,
    summary: str | Path | None = None,
    seed: int = 0,
    simulator: str | Path | None = None,
) -> None:
    """Write posterior samples for each observation, and a summary of them.

    Samples have the columns `observation` (row number from 1) and the parameters; the summary has one row for
    each observation and parameter with mean, sd and quantiles, the root mean square re-simulation distance where
    the simulator is known and noise-free, and a flag for observations far outside what was simulated, which
    also get a warning: the Mahalanobis distance from the training data above their 99.9 % quantile, or a value
    outside their range.

    A user's simulator is run only where it is given: `simulator` names its Python file, each sample is simulated
    once more into `<out>_simulated`, and the summary has the distance to the observation, noise included, the
    number of simulations that failed, and the share of samples where `log_prior`, if there is one, is -inf.

    Raises:
        DataError: wrong width, NaN or infinity; the message names the row.
        ModelError: the model cannot be loaded or has no y.
    """
    if n < 1:
        raise SettingsError(f"posterior: expected -n >= 1; got {n}")
    flow = _load(model)
    if not flow.known_dim:
        raise ModelError(f"{model}: expected a model with data as y; got one without (see flowpkg sample)")
    known = read_arrays(Path(model) / "training_scores.npz")
    if "y_mean" not in known:
        raise ModelError(f"{model}: expected a model with measured data as y; got labels (see flowpkg sample --label)")
    y = _columns(observe, flow.y_names)
    gap = y - known["y_mean"]
    distance = np.sqrt(np.einsum("ni,ij,nj->n", gap, known["y_precision"], gap))
    limit = known["y_distance_quantiles"][999]
    outside = ((y < known["y_low"]) | (y > known["y_high"])).any(axis=1)
    far = (distance > limit) | outside
    for row in np.flatnonzero(far)[:20]:
        print(
            f"flowpkg posterior: warning: {observe}: row {row + 1}: far outside what was simulated (Mahalanobis "
            f"distance {distance[row]:.3g}, 99.9 % of training data within {limit:.3g}); do not trust its posterior",
            file=sys.stderr,
        )
    samples = flow.posterior(y, n, seed=(seed, 0)).astype(np.float64)
    frame = pd.DataFrame(samples.reshape(-1, samples.shape[2]), columns=flow.names)
    frame.insert(0, "observation", np.repeat(np.arange(1, len(y) + 1), n))
    rows = pd.DataFrame(
        {
            "observation": np.repeat(np.arange(1, len(y) + 1), len(flow.names)),
            "parameter": np.tile(flow.names, len(y)),
            "mean": samples.mean(axis=1).ravel(),
            "sd": samples.std(axis=1, ddof=min(1, n - 1)).ravel(),
        }
    )
    for level in (0.025, 0.16, 0.5, 0.84, 0.975):
        rows[f"q{100 * level:g}"] = np.quantile(samples, level, axis=1).ravel()
    problem = load_problem(flow.problem) if flow.problem and flow.problem["name"] != "simulator" else None
    if problem is not None and getattr(problem, "noise_free", False):
        square = ((problem.simulate(samples) - y[:, None]) ** 2).sum(axis=-1)
        rows["resimulation_rms"] = np.repeat(np.sqrt(square.mean(axis=1)), len(flow.names))
    if simulator is not None:
        found = _resimulate(simulator, flow, samples, y, seed)
        for key, value in found.items():
            if key != "simulated":
                rows[key] = np.repeat(value, len(flow.names))
        simulated = pd.DataFrame(found["simulated"], columns=flow.y_names)
        simulated.insert(0, "observation", frame["observation"])
    rows["far_outside"] = np.repeat(far, len(flow.names))
    out = Path(out)
    write_table(out, frame)
    if simulator is not None:
        write_table(out.with_name(f"{out.stem}_simulated{out.suffix}"), simulated)
    write_table(summary or out.with_name(f"{out.stem}_summary{out.suffix}"), rows)


def _resimulate(path: str | Path, flow, samples: np.ndarray, y: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """Simulate posterior samples `[m, n, P]` with a user's file; return what the summary says of each observation."""
    problem = Simulator(str(path))
    x = samples.reshape(-1, samples.shape[2])
    if problem.dim != x.shape[1]:
        raise DataError(f"{path}: expected {x.shape[1]} parameters, as the model has; got {problem.dim}")
    simulated = problem.simulate(x, generator(seed, "resimulate"))
    if simulated.shape[1] != y.shape[1]:
        raise DataError(f"{path}: simulate: expected {y.shape[1]} data, as the model has; got {simulated.shape[1]}")
    square = ((simulated.reshape(*samples.shape[:2], -1) - y[:, None]) ** 2).sum(axis=-1)
    worked = np.isfinite(square)
    mean = np.where(worked, square, 0.0).sum(axis=1) / np.maximum(worked.sum(axis=1), 1)
    found = {"simulated": simulated, "resimulation_rms": np.sqrt(mean), "simulations_failed": (~worked).sum(axis=1)}
    log_prior = problem.log_prior(x)
    if log_prior is not None:
        found["outside_prior"] = (~np.isfinite(log_prior)).reshape(samples.shape[:2]).mean(axis=1)
    return found


def classify(
    model: str | Path,
    out: str | Path,
    *,
    data: str | Path | None = None,
    images: str | Path | None = None,
    priors: list[float] | None = None,
    percentile: float = 0.1,
    seed: int = 0,
) -> None:
    """Write class probabilities, the most probable class and a flag for points unlike anything seen.

    The flag compares the log-density over all classes, under the class shares of training, with that of training rows.
    For images see `classify_images`.

    Raises:
        DataError: wrong width, NaN or infinity, or priors that do not fit.
        ModelError: the model cannot be loaded or has no labels.
    """
    if not 0 <= percentile <= 100:
        raise SettingsError(f"classify: expected --percentile from 0 to 100; got {percentile}")
    _one_source("classify", data, images)
    flow = _load(model)
    if images is not None:
        from flowpkg.commands.images import classify_images

        classify_images(flow, model, images, out, priors=priors, percentile=percentile, seed=seed)
        return
    _no_images(flow, model)
    known = read_arrays(Path(model) / "training_scores.npz")
    if "priors" not in known:
        raise ModelError(f"{model}: expected a model with class labels as y; got one without")
    from scipy.special import logsumexp, softmax

    from flowpkg.partition import check_priors

    x = _columns(data, flow.names)
    likelihood = flow.label_log_prob(x, seed=(seed, 0))
    chosen = check_priors(known["priors"] if priors is None else priors, flow.known_dim)
    probability = softmax(likelihood + np.log(chosen), axis=1)
    evidence = logsumexp(likelihood + np.log(known["priors"]), axis=1)
    quantiles = known["log_prob_quantiles"]
    rank = np.interp(evidence, quantiles, np.linspace(0.0, 100.0, len(quantiles)))
    frame = pd.DataFrame(probability, columns=[f"p_{name}" for name in flow.y_names])
    frame["class"] = np.array(flow.y_names)[probability.argmax(axis=1)]
    frame["log_prob_nats"] = evidence
    frame["training_percentile"] = rank
    frame["unlike_training"] = rank < percentile
    write_table(out, frame)


def info(model: str | Path) -> str:
    """Return a description of a saved model; reads its files without loading TensorFlow.

    Raises:
        ModelError: a file is missing or damaged.
    """
    from flowpkg.model_files import read_model_files

    architecture, arrays = read_model_files(model)
    trained = sum(arrays[key].size for key, array in architecture["arrays"].items() if array["trained"])
    cut = ", ".join(f"{name} = {value}" for name, value in architecture["partition"].items())
    flow = ", ".join(f"{key}: {value}" for key, value in architecture["flow"].items())
    names = architecture["names"]
    if not isinstance(names, list):
        raise ModelError(f"{model}: expected a list of names; got {type(names).__name__}")
    return "\n".join(
        [
            f"model      {model} (intact)",
            f"partition  {cut}",
            f"columns    {', '.join(names)}",
            f"known      {', '.join(architecture.get('y_names') or ['nothing'])}",
            f"flow       {flow}",
            f"weights    {trained} trained numbers in {len(arrays)} arrays",
        ]
    )
