"""Diagnostics of images against closed forms and cases whose answer is known."""

import io
import math

import numpy as np
import pytest
from PIL import Image

from flowpkg.diagnostics import images as check
from flowpkg.diagnostics.reference_classifiers import reference_predictions


@pytest.fixture
def rng():
    return np.random.default_rng(3)


def stripes(n, rng, *, noise=8.0):
    """Smooth striped colour images with some noise, uint8 `[n, 8, 8, 3]`."""
    phase = rng.uniform(0, 2 * np.pi, (n, 1, 1, 1))
    wave = 128 + 90 * np.sin(phase + np.arange(8)[None, None, :, None] * 0.8)
    return np.clip(wave + noise * rng.standard_normal((n, 8, 8, 3)), 0, 255).astype(np.uint8)


def test_bits_per_dim_of_uniform_images_is_eight(rng):
    dim = 12
    found = check.bits_per_dim(np.full(50, -dim * math.log(256.0)), dim)
    assert found.value == pytest.approx(8.0) and found.standard_error == 0.0
    # Sixteen levels, 16 apart: uniform images take four bits.
    assert check.bits_per_dim(np.full(50, -dim * math.log(256.0)), dim, 16).value == pytest.approx(4.0)
    log_prob = rng.standard_normal(400)
    found = check.bits_per_dim(log_prob, 2)
    assert found.value == pytest.approx(-log_prob.mean() / (2 * math.log(2)))
    assert found.standard_error == pytest.approx(log_prob.std(ddof=1) / 20 / (2 * math.log(2)))


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_code_length_is_that_of_the_png(rng, channels):
    images = rng.integers(0, 256, (3, 6, 5, channels), np.uint8)
    images[1] = 7
    bits = check.code_length_bits(images)
    assert bits[1] < bits[0] and (bits % 8 == 0).all()
    if channels == 3:
        buffer = io.BytesIO()
        Image.fromarray(images[0]).save(buffer, "PNG", compress_level=9)
        assert bits[0] == 8 * len(buffer.getvalue())


def test_blur_keeps_means_and_takes_detail(rng):
    images = stripes(20, rng)
    smooth = check.blurred(images, 1.0)
    assert smooth.dtype == np.uint8 and smooth.shape == images.shape
    assert abs(smooth.mean() - images.mean()) < 1.0
    detail = [np.abs(np.diff(rows.astype(float), axis=1)).mean() for rows in (images, smooth)]
    assert detail[1] < 0.5 * detail[0]
    assert set(np.unique(check.blurred(images, 1.0, 15))) <= set(range(0, 256, 15))
    # Channels and images are not mixed.
    assert np.array_equal(check.blurred(images[3:4], 1.0)[0], smooth[3])


def test_scrambled_images_hold_the_same_pixels_in_other_places(rng):
    images = rng.integers(0, 256, (12, 8, 8, 1), np.uint8)
    moved = check.scrambled(images, rng)
    assert np.array_equal(np.sort(moved.reshape(12, -1)), np.sort(images.reshape(12, -1)))
    assert (moved != images).any(axis=(1, 2, 3)).all()


def test_frechet_distance_has_its_closed_form(rng):
    first = rng.standard_normal((40_000, 3)) * [1.0, 2.0, 0.5] + [1.0, 0.0, 0.0]
    second = rng.standard_normal((40_000, 3)) * [2.0, 2.0, 0.5]
    # Diagonal covariances: |gap|^2 + sum (s1 - s2)^2 = 1 + 1.
    assert check.frechet_distance(first, second) == pytest.approx(2.0, abs=0.08)
    assert check.frechet_distance(first, first) == pytest.approx(0.0, abs=1e-9)


def test_frechet_check_is_one_for_the_same_distribution_and_large_for_another(rng):
    held, same, other = (rng.standard_normal((600, 8)) * scale for scale in (1.0, 1.0, 1.5))
    equal = check.frechet_check(held, same, np.random.default_rng(1))
    far = check.frechet_check(held, other, np.random.default_rng(1))
    # Six standard errors: false-alarm rate below 1e-6 if the ratio is near normal.
    assert abs(equal.ratio.value - 1.0) < 6 * equal.ratio.standard_error + 0.05
    assert far.ratio.value > 5.0 and far.generated.standard_error > 0
    assert check.frechet_check(held, same, np.random.default_rng(1)) == equal


def test_nearest_neighbours_match_brute_force(rng, monkeypatch):
    monkeypatch.setattr(check, "CHUNK", 7)
    train, images = rng.integers(0, 256, (30, 4, 4, 3), np.uint8), rng.integers(0, 256, (9, 4, 4, 3), np.uint8)
    images[2] = train[17]
    index, distance = check.nearest_neighbours(images, train)
    gap = (images[:, None].astype(float) - train[None]) / 255.0
    exact = np.sqrt((gap**2).sum(axis=(2, 3, 4)))
    assert np.array_equal(index, exact.argmin(axis=1)) and index[2] == 17
    np.testing.assert_allclose(np.delete(distance, 2), np.delete(exact.min(axis=1), 2), atol=1e-4)
    assert distance[2] < 2e-3


def test_ratio_of_means_has_the_spread_it_states(rng):
    values = [check.ratio_of_means(rng.normal(2.0, 0.5, 100), rng.normal(4.0, 1.0, 100)) for _ in range(400)]
    ratios = np.array([value.value for value in values])
    stated = np.mean([value.standard_error for value in values])
    assert ratios.mean() == pytest.approx(0.5, abs=0.01)
    # The sd of 400 draws is known to 3.5 %; 20 % is over five standard errors.
    assert ratios.std() == pytest.approx(stated, rel=0.2)


def test_pixel_features_reconstruct_what_they_were_fitted_to_and_not_other_images(rng):
    train, test = stripes(300, rng), stripes(100, rng)
    features = check.PixelFeatures.fit(train, 10, np.random.default_rng(0))
    assert features(test).shape == (100, 10)
    np.testing.assert_allclose(features.vectors.T @ features.vectors, np.eye(10), atol=1e-4)
    noise = rng.integers(0, 256, (100, 8, 8, 3), np.uint8)
    assert features.residual(noise).min() > features.residual(test).max()
    assert check.PixelFeatures.fit(train[:5], 64, np.random.default_rng(0))(test).shape == (100, 4)


def test_reference_classifiers_learn_and_use_all_methods(rng):
    label = rng.integers(0, 2, 400)
    images = stripes(400, rng)
    images[label == 1] = images[label == 1].transpose(0, 2, 1, 3)
    predicted = reference_predictions(images[:300], label[:300], images[300:], np.random.default_rng(0))
    assert set(predicted) == {"logistic", "svm"}
    assert np.mean(predicted["svm"] == label[300:]) > 0.95
