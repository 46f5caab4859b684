"""Augmentations do what they say: against exact moves of pixels, and against SciPy."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import ndimage

from flowpkg.augmentation import augment, transform_images
from flowpkg.problems.images.faces import draw_faces
from flowpkg.settings import resolve

OFF = {"flip": 0.0, "zoom": 0.0, "rotation": 0.0, "shift": 0.0, "shear": 0.0}
RNG = np.random.default_rng(0)
NOISE = RNG.integers(0, 256, (3, 9, 12, 3)).astype(np.float32)
SQUARE = RNG.integers(0, 256, (3, 8, 8, 1)).astype(np.float32)
FACES = draw_faces("cat", 32, 1, "augmentation", range(200))[0].astype(np.float32)


def test_the_schema_has_every_setting_switched_off():
    assert resolve({"application": "distribution_mapping", "problem": {"name": "faces"}})["data"]["augment"] == OFF


def test_nothing_switched_on_changes_nothing():
    np.testing.assert_array_equal(augment(NOISE, OFF, [1, 2]), NOISE)
    np.testing.assert_array_equal(transform_images(NOISE), NOISE)


def test_flip_is_the_mirror_image():
    np.testing.assert_array_equal(augment(NOISE, {**OFF, "flip": 1.0}, [1, 2]), NOISE[:, :, ::-1])
    some = augment(FACES, {**OFF, "flip": 0.5}, [1, 2]).numpy()
    same, mirrored = ((some == other).all(axis=(1, 2, 3)) for other in (FACES, FACES[:, :, ::-1]))
    assert (same | mirrored).all()
    # 200 fair coins: beyond 70 to 130 once in 40,000.
    assert 70 < mirrored.sum() < 130


@pytest.mark.parametrize(("right", "down"), [(2, 0), (0, 3), (-4, 1), (-1, -2)])
def test_shift_moves_by_whole_pixels_and_mirrors_at_the_edge(right, down):
    padded = np.pad(NOISE, ((0, 0), (5, 5), (5, 5), (0, 0)), mode="symmetric")
    expected = padded[:, 5 - down : 14 - down, 5 - right : 17 - right]
    np.testing.assert_allclose(transform_images(NOISE, shift=(right, down)), expected, atol=1e-3)


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_quarter_turns_are_exact_and_clockwise(turns):
    turned = transform_images(SQUARE, rotation_deg=90.0 * turns)
    np.testing.assert_allclose(turned, np.rot90(SQUARE, -turns, axes=(1, 2)), atol=1e-2)


def test_shear_of_45_degrees_moves_each_row_by_its_distance_from_the_centre():
    odd = NOISE[:, :, :9]
    sheared = transform_images(odd, shear_deg=45.0).numpy()
    padded = np.pad(odd, ((0, 0), (0, 0), (4, 4), (0, 0)), mode="symmetric")
    for row in range(9):
        np.testing.assert_allclose(sheared[:, row], padded[:, row, 4 - (row - 4) : 13 - (row - 4)], atol=1e-2)


def test_zoom_by_two_shows_the_middle_half():
    odd = NOISE[:, :, :9]
    zoomed = transform_images(odd, zoom=2.0).numpy()
    np.testing.assert_allclose(zoomed[:, ::2, ::2], odd[:, 2:7, 2:7], atol=1e-3)
    np.testing.assert_allclose(zoomed[:, 1::2, ::2], 0.5 * (odd[:, 2:6, 2:7] + odd[:, 3:7, 2:7]), atol=1e-3)


def test_the_whole_map_is_that_of_scipy():
    zoom, rotation, shear = np.array([1.3, 0.8, 1.0]), np.array([20.0, -35.0, 5.0]), np.array([10.0, 0.0, -15.0])
    shift = np.array([[1.5, -0.5], [0.0, 2.0], [-1.0, 0.25]])
    ours = transform_images(NOISE, zoom=zoom, rotation_deg=rotation, shear_deg=shear, shift=shift).numpy()
    centre = np.array([4.0, 5.5])
    for image, result, z, r, s, (right, down) in zip(NOISE, ours, zoom, np.deg2rad(rotation), np.deg2rad(shear), shift):
        # SciPy's axes are (y, x), and it wants the inverse map.
        forward = np.array([[np.cos(r), np.sin(r)], [-np.sin(r), np.cos(r)]]) @ np.array([[1, 0], [np.tan(s), 1]]) * z
        inverse = np.linalg.inv(forward)
        offset = centre - inverse @ (centre + [down, right])
        for channel in range(3):
            expected = ndimage.affine_transform(image[..., channel], inverse, offset, order=1, mode="reflect")
            np.testing.assert_allclose(result[..., channel], expected, atol=0.05)


@pytest.mark.parametrize("change", [{"zoom": 0.2}, {"rotation": 15.0}, {"shift": 0.1}, {"shear": 10.0}, {"flip": 0.5}])
def test_each_setting_alone_varies_images_by_the_seed_and_keeps_levels(change):
    settings = {**OFF, **change}
    first, again, other = (augment(FACES, settings, seed).numpy() for seed in ([1, 2], [1, 2], [1, 3]))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any() and (first != FACES).any(axis=(1, 2, 3)).mean() > 0.3
    assert (first == np.round(first)).all() and first.min() >= 0 and first.max() <= 255
    # Still the same picture: much nearer to its own original, or that one's mirror image, than to another's.
    own = np.minimum(np.abs(first - FACES).mean(axis=(1, 2, 3)), np.abs(first - FACES[:, :, ::-1]).mean(axis=(1, 2, 3)))
    assert own.mean() < 0.5 * np.abs(first - np.roll(FACES, 1, axis=0)).mean()


def test_amounts_stay_inside_their_limits_and_reach_them():
    # A dot's place after a random shift of at most 0.25 x 16 = 4 pixels: every one of the 9 x 9 moves but no other. Each
    # of the inner moves has a chance of 1/64 in 4,000: all are seen but once in 10^24.
    dots = np.zeros((4000, 16, 16, 1), np.float32)
    dots[:, 8, 8] = 255.0
    moved = augment(dots, {**OFF, "shift": 0.25}, [3, 4]).numpy()
    places = {(int(row) - 8, int(column) - 8) for _, row, column, _ in np.argwhere(moved == 255.0)}
    assert {(row, column) for row in range(-3, 4) for column in range(-3, 4)} <= places
    assert all(max(abs(row), abs(column)) <= 4 for row, column in places)
    # A level ramp to the right, zoomed about the centre: its slope is 1 / zoom, between 1 / 1.5 and 1.5.
    ramp = np.tile(np.arange(0.0, 240.0, 10.0, dtype=np.float32)[None, None, :, None], (500, 24, 1, 1))
    zoomed = augment(ramp, {**OFF, "zoom": 0.5}, [5, 6]).numpy()
    slope = (zoomed[:, 12, 13, 0] - zoomed[:, 12, 10, 0]) / 30.0
    assert 0.6 < slope.min() < 0.72 and 1.4 < slope.max() < 1.6 and 0.95 < np.exp(np.log(slope).mean()) < 1.05


def test_levels_that_are_not_one_apart_stay_so():
    digits = (RNG.integers(0, 17, (20, 8, 8, 1)) * 15).astype(np.float32)
    turned = augment(digits, {**OFF, "rotation": 10.0}, [1, 2], step=15).numpy()
    assert set(np.unique(turned)) <= set(range(0, 241, 15)) and (turned != digits).any()


def test_it_runs_inside_a_compiled_pipeline():
    settings = {"flip": 0.5, "zoom": 0.1, "rotation": 5.0, "shift": 0.05, "shear": 3.0}
    pipeline = tf.data.Dataset.from_tensor_slices(FACES).batch(64).enumerate()
    pipeline = pipeline.map(lambda k, batch: augment(batch, settings, tf.stack([k, k])))
    batches = [batch.numpy() for batch in pipeline]
    assert [len(batch) for batch in batches] == [64, 64, 64, 8]
    eager = augment(FACES[64:128], settings, tf.constant([1, 1], tf.int64)).numpy()
    # A place within rounding of two levels' middle may fall to either.
    assert np.abs(batches[1] - eager).max() <= 1 and (batches[1] != eager).mean() < 1e-3
