"""Anomaly scores and principal components of latents, on latents whose distribution is known."""

import numpy as np
import pytest

from flowpkg.diagnostics.anomaly import auroc
from flowpkg.diagnostics.image_scores import SCORES, ImageScores, Statistics
from flowpkg.errors import DataError, SettingsError
from flowpkg.latent_basis import LatentBasis, spherical, straight

DIM = 300


@pytest.fixture
def rng():
    return np.random.default_rng(5)


@pytest.fixture
def basis(rng):
    return LatentBasis.fit(rng.standard_normal((800, DIM)) * np.linspace(3.0, 1.0, DIM), 160, rng)


def statistics(basis, rng, n, *, scale=1.0, shift=0.0):
    """Normal images: code length follows nll with some scatter; `scale` and `shift` make anomalies."""
    z = rng.standard_normal((n, DIM)) * np.linspace(3.0, 1.0, DIM) * scale
    complexity = rng.normal(0.0, 30.0, n)
    nll = 1000.0 + complexity + rng.normal(0.0, 3.0, n) + shift
    return Statistics(nll, np.round(2000.0 + 2.0 * complexity), basis.statistics(z))


def area(scores, name, normal, odd):
    return auroc(scores(normal)[name], scores(odd)[name], np.random.default_rng(0), replicates=20).value


def test_the_combined_score_finds_what_raw_likelihood_ranks_as_most_normal(basis, rng):
    scores = ImageScores.fit(statistics(basis, rng, 800), statistics(basis, rng, 400))
    normal = statistics(basis, rng, 500)
    # Too likely for how complex it is: raw likelihood calls it more normal than normal.
    odd = statistics(basis, rng, 500, shift=-40.0)
    assert area(scores, "nll", normal, odd) < 0.3
    assert area(scores, "combined", normal, odd) > 0.95
    quiet = statistics(basis, rng, 500, scale=0.8)
    assert area(scores, "latent", normal, quiet) > 0.95


def test_scores_of_normal_images_find_nothing(basis, rng):
    scores = ImageScores.fit(statistics(basis, rng, 800), statistics(basis, rng, 400))
    first, second = statistics(basis, rng, 1000), statistics(basis, rng, 1000)
    for name in SCORES:
        # The AUROC of equal distributions has a standard error of 0.013 here: false alarms below 1e-6 in all.
        assert abs(area(scores, name, first, second) - 0.5) < 0.075, name


def test_percentiles_and_flags(basis, rng):
    train, validation = statistics(basis, rng, 800), statistics(basis, rng, 400)
    scores = ImageScores.fit(train, validation)
    rank = scores.training_percentile("nll", train.nll)
    assert rank.min() == 0.0 and rank.max() == 100.0 and np.argmax(train.nll) == np.argmax(rank)
    flagged = scores.above("combined", scores(validation)["combined"], 95.0)
    assert flagged.mean() == pytest.approx(0.05, abs=0.005)
    assert scores.above("nll", np.array([1e6, 0.0]), 99.0).tolist() == [True, False]


def test_scores_survive_saving_to_the_last_bit(basis, rng):
    scores = ImageScores.fit(statistics(basis, rng, 300), statistics(basis, rng, 300))
    arrays = scores.to_arrays() | basis.to_arrays()
    again, plane = ImageScores.from_arrays(arrays), LatentBasis.from_arrays(arrays)
    rows = statistics(basis, rng, 50)
    for name in SCORES:
        assert np.array_equal(scores(rows)[name], again(rows)[name])
    z = rng.standard_normal((5, DIM))
    assert np.array_equal(basis.statistics(z), plane.statistics(z))
    del arrays["image_centre"], arrays["latent_vectors"]
    with pytest.raises(DataError, match="image_centre"):
        ImageScores.from_arrays(arrays)
    with pytest.raises(DataError, match="latent_vectors"):
        LatentBasis.from_arrays(arrays)


def test_a_score_that_is_not_finite_is_the_most_anomalous(basis, rng):
    scores = ImageScores.fit(statistics(basis, rng, 300), statistics(basis, rng, 300))
    rows = statistics(basis, rng, 4)
    rows.nll[1] = np.inf
    found = scores(rows)
    assert all(np.isfinite(value).all() and value.argmax() == 1 for value in found.values())


def test_grouped_typicality_uses_each_image_once(basis, rng):
    scores = ImageScores.fit(statistics(basis, rng, 300), statistics(basis, rng, 300))
    nll = rng.normal(scores.train_nll, 10.0, 53)
    grouped = scores.grouped_typicality(nll, 5, rng)
    assert grouped.shape == (10,)
    # Means of five scatter by 1/sqrt(5); 10 groups know their sd to 24 %.
    assert grouped.max() < 6 * 10.0 / np.sqrt(5)


def test_too_few_validation_images_are_refused(basis, rng):
    with pytest.raises(DataError, match="validation images: expected at least"):
        ImageScores.fit(statistics(basis, rng, 300), statistics(basis, rng, 10))


def test_basis_finds_the_axes_of_known_latents(rng):
    deviations = np.r_[9.0, 5.0, np.ones(28)]
    turn = np.linalg.qr(rng.standard_normal((30, 30)))[0]
    latent = rng.standard_normal((6000, 30)) * deviations @ turn.T + 2.0
    basis = LatentBasis.fit(latent, 2, rng)
    np.testing.assert_allclose(np.abs(basis.vectors.T @ turn[:, :2]), np.eye(2), atol=0.06)
    np.testing.assert_allclose(basis.deviations, [9.0, 5.0], rtol=0.05)
    components = basis.components(latent)
    np.testing.assert_allclose(components.std(axis=0), 1.0, rtol=0.02)
    np.testing.assert_allclose(basis.latent(components, latent), latent, atol=1e-6)
    # White latents in the directions that the whitening found lead to the same components.
    whitened = (latent - latent.mean(axis=0)) @ turn / deviations @ turn.T
    other = LatentBasis.fit(whitened, 2, rng, directions=turn[:, :2])
    np.testing.assert_allclose(other.deviations, 1.0, rtol=0.05)
    np.testing.assert_allclose(np.abs(other.components(whitened)), np.abs(components), atol=0.15)


def test_pca_sampling_has_the_fitted_covariance_scaled(rng):
    deviations = np.r_[4.0, 3.0, 2.0, np.full(17, 0.5)]
    basis = LatentBasis.fit(rng.standard_normal((4000, 20)) * deviations + 1.0, 3, rng)
    drawn = basis.sample(20_000, rng, covariance_scale=0.25)
    values = np.linalg.eigvalsh(np.cov(drawn, rowvar=False))[::-1]
    np.testing.assert_allclose(values[:3], 0.25 * basis.deviations**2, rtol=0.06)
    assert values[3] < 1e-8
    np.testing.assert_allclose(drawn.mean(axis=0), basis.mean, atol=0.08)
    full = basis.sample(20_000, rng, rest=0.5)
    np.testing.assert_allclose(full.std(axis=0)[3:], 0.5, rtol=0.1)
    np.testing.assert_allclose(full.mean(axis=0), basis.mean, atol=0.15)
    assert basis.sample(3, rng, components=1).shape == (3, 20)
    for options in ({"components": 4}, {"components": 0}, {"covariance_scale": 0.0}, {"rest": -1.0}):
        with pytest.raises(SettingsError, match="expected a number"):
            basis.sample(2, rng, **options)


def test_interpolations_meet_both_ends_and_the_arc_keeps_the_norm(rng):
    first, second = rng.standard_normal((2, 500))
    for way in (straight, spherical):
        path = way(first, second, 9)
        np.testing.assert_allclose(path[[0, -1]], [first, second], atol=1e-12)
    norms = np.linalg.norm(spherical(first, second, 9), axis=1)
    ends = np.linalg.norm([first, second], axis=1)
    np.testing.assert_allclose(norms, np.linspace(*ends, 9), rtol=1e-9)
    assert np.linalg.norm(straight(first, second, 9)[4]) < 0.8 * ends.min()
    np.testing.assert_allclose(spherical(first, 2 * first, 3)[1], 1.5 * first)
    np.testing.assert_allclose(spherical(first, 0 * first, 3)[1], 0.5 * first)
