"""Gravity of a glacier's section against closed forms and an established library."""

import numpy as np
import pytest
from choclo.prism import gravity_u

from flowpkg.problems import load_problem
from flowpkg.problems.glacier import GRAVITATIONAL_CONSTANT, MGAL, polygon_gravity_mgal

LENGTH = 1e7


def prism_mgal(west, east, top, bottom, station, density):
    """Downward attraction of a prism of 20,000 km along the valley, in mGal, by choclo."""
    return -MGAL * gravity_u(station, 0.0, 0.0, west, east, -LENGTH, LENGTH, -bottom, -top, density)


def test_a_wide_slab_is_a_bouguer_plate():
    found = polygon_gravity_mgal(np.array([-1e9, 1e9, 1e9, -1e9]), np.array([100.0, 100.0, 0.0, 0.0]), 1000.0)
    assert found == pytest.approx(2 * np.pi * GRAVITATIONAL_CONSTANT * 1000.0 * 100.0 * MGAL, rel=1e-6)


def test_a_cylinder_is_a_line_mass():
    angle = np.linspace(0, 2 * np.pi, 2000, endpoint=False)
    x, z = 300.0 + 150.0 * np.cos(angle), 500.0 - 150.0 * np.sin(angle)
    area = 0.5 * np.sum(np.roll(x, -1) * z - x * np.roll(z, -1))
    line = 2 * GRAVITATIONAL_CONSTANT * 500.0 * area * 500.0 / (300.0**2 + 500.0**2) * MGAL
    assert polygon_gravity_mgal(x, z, 500.0) == pytest.approx(line, rel=1e-5)


@pytest.mark.parametrize("station", [-2000.0, 100.0, 431.7, 5000.0])
def test_a_rectangle_is_a_long_prism_of_choclo(station):
    corners = np.array([100.0, 900.0, 900.0, 100.0]) - station, np.array([400.0, 400.0, 50.0, 50.0])
    assert polygon_gravity_mgal(*corners, -1753.0) == pytest.approx(
        prism_mgal(100.0, 900.0, 50.0, 400.0, station, -1753.0), rel=1e-6
    )


def test_a_bed_is_many_thin_prisms_of_choclo():
    glacier = load_problem({"name": "glacier"})
    thickness = glacier.sample(1, np.random.default_rng(4))["x"][0]
    bed_x, bed_z = np.concatenate([[0.0], glacier.x_axis, [glacier.width]]), np.pad(thickness, 1)

    def columns(count):
        edge = np.linspace(0.0, glacier.width, count + 1)
        depth = np.interp(0.5 * (edge[1:] + edge[:-1]), bed_x, bed_z)
        parts = zip(edge[:-1], edge[1:], depth, strict=True)
        # One column at a time for all stations: the library's functions take numbers.
        return sum(
            np.array([prism_mgal(west, east, 0.0, bottom, s, glacier.density) for s in glacier.stations])
            for west, east, bottom in parts
        )

    # Columns of half the width have a quarter of the error: extrapolated to none.
    coarse, fine = columns(25 * 24), columns(25 * 48)
    np.testing.assert_allclose(glacier.simulate(thickness), (4.0 * fine - coarse) / 3.0, rtol=1e-6)


def test_any_leading_shape_and_thicker_ice_is_lighter():
    glacier = load_problem({"name": "glacier", "points": 9, "stations": 4})
    x = glacier.sample(6, np.random.default_rng(0))["x"].reshape(2, 3, 9)
    y = glacier.simulate(x)
    assert y.shape == (2, 3, 4) and (y < 0).all()
    np.testing.assert_array_equal(y[1, 2], glacier.simulate(x[1, 2]))
    assert (glacier.simulate(1.01 * x) < y).all()
