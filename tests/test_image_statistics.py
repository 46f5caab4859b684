"""What a flow says about images, in chunks, against the model's own methods; scores fitted and read back."""

import numpy as np
import pytest
from scipy.special import logsumexp

from flowpkg.diagnostics.image_scores import ImageScores
from flowpkg.flows import build_flow
from flowpkg.image_statistics import ImageEncoder, fit_scores
from flowpkg.latent_basis import LatentBasis
from flowpkg.partition import Partition
from flowpkg.settings import resolve
from tests.conftest import randomise

SHAPE, DIM, CLASSES = (4, 4, 1), 16, 3


def images(n, seed=0, step=1):
    rng = np.random.default_rng(seed)
    smooth = rng.uniform(40, 200, (n, 1, 1, 1)) + 30 * rng.standard_normal((n, *SHAPE))
    return (np.clip(smooth / step, 0, 255 // step).astype(int) * step).astype(np.uint8)


@pytest.fixture(params=["plain", "invertible", "conditional"])
def model(request):
    kind = request.param
    settings = resolve({"application": "image_generation", "problem": {"name": "digits"}})["flow"]
    settings |= {"coupling": "affine", "layers": 2, "hidden": [8], "standardise_y": "none", "sigma_y": 0.3}
    cut = Partition(x=DIM, y=CLASSES) if kind == "invertible" else Partition(x=DIM)
    rows, labels = images(300).reshape(300, -1).astype(float), np.eye(CLASSES)[np.arange(300) % CLASSES]
    built = build_flow(
        settings, cut, training_inputs=rows, training_known=None if kind == "plain" else labels,
        context_dim=CLASSES if kind == "conditional" else 0,
    )  # fmt: skip
    randomise(built.bijector, scale=0.1)
    return built


def test_densities_and_latents_are_those_of_the_model(model):
    priors = np.array([0.5, 0.3, 0.2]) if model.known_dim else None
    encoder = ImageEncoder(model, seed=3, priors=priors)
    levels = images(40, seed=1)
    found = encoder(levels)
    x = encoder.dequantised(levels)
    assert (np.floor(x).reshape(levels.shape) == levels).all()
    if not model.known_dim:
        np.testing.assert_allclose(found.log_prob[:, 0], model.log_prob(x), rtol=1e-4)
        np.testing.assert_allclose(found.evidence(), model.log_prob(x), rtol=1e-4)
        np.testing.assert_allclose(found.z, model.encode(x).z, atol=1e-4)
        return
    exact = np.stack([np.asarray(model.log_prob(x, None, np.tile(row, (40, 1)))) for row in np.eye(CLASSES)], axis=1)
    np.testing.assert_allclose(found.log_prob, exact, rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(found.evidence(priors), logsumexp(exact + np.log(priors), axis=1), rtol=1e-4)
    label = np.eye(CLASSES)[(exact + np.log(priors)).argmax(axis=1)]
    np.testing.assert_allclose(found.z, model.encode(x, None, label).z, atol=1e-4)


def test_what_is_said_about_an_image_depends_on_neither_its_place_nor_the_chunk(model):
    levels = images(30, seed=2)
    basis = LatentBasis.fit(
        np.random.default_rng(0).standard_normal((100, model.partition.z)), 4, np.random.default_rng(0)
    )
    some = ImageEncoder(model, seed=1, chunk=7).describe(levels, basis)
    other = ImageEncoder(model, seed=1, chunk=30).describe(levels[::-1], basis)
    np.testing.assert_allclose(some.statistics.all(), other.statistics.all()[::-1], rtol=1e-5)
    np.testing.assert_allclose(some.plane, other.plane[::-1], atol=1e-5)
    assert not np.allclose(some.statistics.nll, ImageEncoder(model, seed=2).describe(levels, basis).statistics.nll)


@pytest.mark.parametrize("step", [1, 15])
def test_fitted_scores_read_back_and_bits_count_the_levels(model, step):
    train, validation = images(300, step=step), images(150, seed=4, step=step)
    labels = {}
    if model.known_dim:
        labels = {"priors": np.full(CLASSES, 1 / CLASSES), "validation_label": np.arange(150) % CLASSES}
    arrays = fit_scores(model, train, validation, seed=1, step=step, components=6, **labels)
    scores, basis = ImageScores.from_arrays(arrays), LatentBasis.from_arrays(arrays)
    assert basis.count == 6 and int(arrays["step"]) == step
    encoder = ImageEncoder(model, seed=1, step=step, priors=labels.get("priors"))
    described = encoder.describe(validation, basis)
    bits = described.statistics.nll.mean() / (DIM * np.log(2)) - np.log2(step)
    assert float(arrays["bits_per_dim_validation"]) == pytest.approx(bits, rel=1e-6)
    for name, value in scores(described.statistics).items():
        np.testing.assert_allclose(np.quantile(value, [0, 0.5, 1]), scores.validation_quantiles[name][[0, 500, 1000]])
    assert ("label_temperature" in arrays) == bool(model.known_dim)
