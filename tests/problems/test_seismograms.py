"""The seismogram simulator against closed forms and against finite differences."""

import numpy as np
import pytest

from flowpkg.problems import load_problem
from flowpkg.problems.seismograms import impedance, ricker


def problem(**settings):
    return load_problem({"name": "seismograms", **settings})


def traces(p, velocity):
    return p.simulate(velocity).reshape(len(p.receivers), len(p.times))


def test_homogeneous_ground_delays_the_wavelet():
    p = problem()
    for velocity in (1500.0, 2500.0):
        exact = ricker(p.times - p.receiver_depth[:, None] / velocity, p.frequency)
        exact *= impedance(p.trend[0]) / impedance(velocity)
        assert np.abs(traces(p, np.full(16, velocity)) - exact).max() < 1e-7


def test_one_interface_reflects_and_transmits_with_all_multiples():
    p = problem(samples=40)
    v1, v2, depth = 1800.0, 3000.0, 200.0
    z1, z2 = impedance(v1), impedance(v2)
    r, scale = (z1 - z2) / (z1 + z2), impedance(p.trend[0]) / z1
    found = traces(p, np.where(np.arange(16) < 8, v1, v2))
    for trace, z in zip(found, p.receiver_depth, strict=True):
        exact = np.zeros(len(p.times))
        for n in range(12):
            round_trip = 2.0 * n * depth / v1
            if z <= depth:
                exact += r**n * ricker(p.times - round_trip - z / v1, p.frequency)
                exact += r ** (n + 1) * ricker(p.times - round_trip - (2 * depth - z) / v1, p.frequency)
            else:
                late = round_trip + depth / v1 + (z - depth) / v2
                exact += 2 * z1 / (z1 + z2) * r**n * ricker(p.times - late, p.frequency)
        # Multiples after the period wrap around, damped to 1e-5 of themselves.
        assert np.abs(trace - scale * exact).max() < 1e-6


def finite_differences(p, velocity, step_m):
    """Velocity-stress leapfrog on a staggered grid; the last layer goes on so far that its end is not seen."""
    cells = round(1500.0 / step_m)
    middle, node = step_m * (np.arange(cells) + 0.5), step_m * np.arange(cells)
    layer = lambda z: np.minimum((z / p.thickness).astype(int), p.dim - 1)  # noqa: E731
    v = velocity[layer(middle)]
    density, modulus = 310.0 * v**0.25, 310.0 * v**2.25
    # The density of a node is the mean of both sides; half a cell of it belongs to the node at the surface.
    at_node = np.concatenate([[density[0] / 2.0], 0.5 * (density[1:] + density[:-1])])
    dt = 0.5 * step_m / velocity.max()
    start = -1.5 / p.frequency
    steps = int((p.times[-1] - start) / dt) + 3
    motion, stress, record = np.zeros(cells), np.zeros(cells), np.empty((steps, len(p.receivers)))
    index = np.round(p.receiver_depth / step_m).astype(int)
    assert np.allclose(node[index], p.receiver_depth)
    for k in range(steps):
        push = impedance(p.trend[0]) * ricker(start + (k + 0.5) * dt, p.frequency)
        flux = np.concatenate([[stress[0] + push], np.diff(stress)])
        motion += dt / step_m * flux / at_node
        record[k] = motion[index]
        stress[:-1] += dt / step_m * modulus[:-1] * np.diff(motion)
    times = start + (np.arange(steps) + 1.0) * dt
    return np.stack([np.interp(p.times, times, column) for column in record.T])


def test_random_ground_agrees_with_finite_differences():
    p = problem()
    velocity = p.sample(1, np.random.default_rng(11))["x"][0]
    exact = traces(p, velocity)
    coarse, fine = (finite_differences(p, velocity, step) for step in (2.5, 1.25))
    error = np.abs(fine - exact).max()
    assert error < 2e-3 and error < 0.5 * np.abs(coarse - exact).max()


def test_a_longer_period_changes_nothing():
    p = problem(noise_correlation_s=0.02)
    x = p.sample(20, np.random.default_rng(3))["x"].reshape(4, 5, 16)
    y = p.simulate(x)
    assert y.shape == (4, 5, 96)
    p._prepare_frequencies(3.0 * p.times[-1])
    assert np.abs(p.simulate(x) - y).max() < 2e-6


def test_noise_is_white_or_coloured_and_scales():
    rng = np.random.default_rng(0)
    white, coloured = problem(noise=0.1), problem(noise=0.1, noise_correlation_s=0.03)
    for p in (white, coloured):
        noise = p.shaped_noise(rng.standard_normal((20_000, 96)))
        covariance = np.cov(noise.T) / 0.01
        # Standard error of each of the 9,216 entries at most 0.01: six of them.
        expected = np.eye(96) if p is white else p.noise_root @ p.noise_root.T
        assert np.abs(covariance - expected).max() < 0.06
    assert expected[0, 1] == pytest.approx((1 + 3**-0.5) * np.exp(-(3**-0.5)))
    assert expected[23, 24] == 0.0
