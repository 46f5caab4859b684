"""Levels to values and back."""

import numpy as np
import pytest

from flowpkg.dequantise import dequantise, to_levels


@pytest.mark.parametrize("step", [1, 15])
def test_values_lie_uniformly_within_their_level_and_lead_back_to_it(step):
    rng = np.random.default_rng(0)
    levels = (rng.integers(0, 255 // step + 1, (200, 4, 4, 3)) * step).astype(np.uint8)
    x = dequantise(levels, 7, step)
    assert x.shape == (200, 48) and x.dtype == np.float32
    assert np.array_equal(to_levels(x, (4, 4, 3), step), levels)
    inside = (x - levels.reshape(200, -1)) / step
    # 9,600 uniform numbers: the standard errors of mean and deviation are 0.003 and 0.0014.
    assert 0 <= inside.min() and inside.max() < 1 and abs(inside.mean() - 0.5) < 0.018
    assert abs(inside.std() - 12**-0.5) < 0.009
    assert np.array_equal(x, dequantise(levels, 7, step)) and not np.array_equal(x, dequantise(levels, 8, step))


def test_the_top_level_stays_below_256_in_single_precision():
    top = np.full((100_000, 1, 1, 1), 255, np.uint8)
    # One draw in 65,536 lies within half a spacing of 256 and would be rounded up to it.
    x = dequantise(top, 3)
    assert (x < 256).all() and (x > 255.999).any()


def test_values_outside_the_range_are_clipped():
    x = np.array([[-5.0, 0.0, 255.99, 300.0, np.nan, np.inf]])
    assert to_levels(x, (1, 6, 1)).ravel().tolist() == [0, 0, 255, 255, 0, 255]
    assert to_levels(x, (1, 6, 1), 15).ravel().tolist() == [0, 0, 255, 255, 0, 255]
