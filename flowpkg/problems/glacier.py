"""The bed of a valley glacier from gravity measured on its surface."""

from __future__ import annotations

import numpy as np

from flowpkg.problems.base import require
from flowpkg.problems.field import FieldProblem

GRAVITATIONAL_CONSTANT = 6.67430e-11
MGAL = 1e5


def polygon_gravity_mgal(x_m: np.ndarray, z_m: np.ndarray, density: float) -> np.ndarray:
    """Return the downward attraction at the origin of horizontal prisms of infinite length with a polygon as section.

        g = 2 G rho sum_edges c / l^2 (dz log(r2 / r1) - dx (t2 - t1)),   c = x2 z1 - x1 z2,   l^2 = dx^2 + dz^2

    with r and t the polar coordinates of the corners, t = atan2(z, x). The body must lie in z >= 0, where t has no
    jump. Corners run to the right (+x) along the bottom and back along the top, the last is joined to the first, and
    none lies at the origin.

    Args:
        x_m: corners' horizontal distance from the station `[..., V]`.
        z_m: corners' depth below the station `[..., V]`.
        density: kg/m^3.

    Returns:
        mGal, `[...]`.

    Source: Talwani, Worzel & Landisman 1959, JGR 64, 49-59, in the form of Won & Bevis 1987, Geophysics 52, 232-238,
        multiplied out so that horizontal and vertical edges need no case of their own.
    """
    log_r, angle = 0.5 * np.log(x_m**2 + z_m**2), np.arctan2(z_m, x_m)
    next_x, next_z = np.roll(x_m, -1, axis=-1), np.roll(z_m, -1, axis=-1)
    dx, dz = next_x - x_m, next_z - z_m
    edges = dz * (np.roll(log_r, -1, axis=-1) - log_r) - dx * (np.roll(angle, -1, axis=-1) - angle)
    factor = (next_x * z_m - x_m * next_z) / (dx**2 + dz**2)
    return 2.0 * GRAVITATIONAL_CONSTANT * MGAL * density * (factor * edges).sum(axis=-1)


class Glacier(FieldProblem):
    """How thick is the ice of a valley glacier, given gravity at stations across it?

        trend(s) = depth (1 - |2 s / width - 1|^exponent),   thickness = trend * exp(Gaussian process)

    The section is the polygon between the flat ice surface and a bed that is linear between the points of thickness,
    which are evenly spaced between margins of zero thickness. Stations lie on the surface, in the middles of equal
    cells between the margins. The glacier is long compared with its width, so the two-dimensional formula holds; the
    regional field and the valley walls are taken to be removed. Data are exact: there is no noise in them.

    Args:
        points: P, points of thickness across the valley.
        stations: M, below P.
        width_m: distance of the margins.
        depth_m: prior median of the thickness in the middle.
        exponent: of the valley's shape; 2 is the parabola of a glacial trough.
        level_sd: prior standard deviation of the log of the whole profile's thickness.
        shape_sd: prior standard deviation of the log-thickness along the profile.
        correlation_m: its correlation length.
        density_contrast: of ice minus rock in kg/m^3; 917 for glacier ice, 2670 for the crust.
        data_error_mgal: standard deviation of the likelihood that reference posteriors use, because MCMC needs one;
            0.015 mGal is about the repeatability of readings with a field gravimeter.

    Raises:
        SettingsError: a number is out of range.

    Source: cross-sections of glacial valleys: Svensson 1959, J. Glaciology 3, 362-363; Harbor & Wheeler 1992, Earth
        Surface Processes and Landforms 17, 375-388. Gravity on glaciers: Klingele & Kahle 1977, Pure and Applied
        Geophysics 115, 989-998. Densities: Cuffey & Paterson 2010, The Physics of Glaciers, chapter 2.
    """

    noise_free = True
    x_axis_name = "distance across the valley (m)"

    def __init__(
        self,
        points: int = 24,
        stations: int = 12,
        width_m: float = 3000.0,
        depth_m: float = 250.0,
        exponent: float = 2.0,
        level_sd: float = 0.25,
        shape_sd: float = 0.3,
        correlation_m: float = 600.0,
        density_contrast: float = -1753.0,
        data_error_mgal: float = 0.015,
    ) -> None:
        require(0 < stations < points, "stations", f"1 to {points - 1}, less than the points", stations)
        for name, value in (("width_m", width_m), ("depth_m", depth_m), ("exponent", exponent)):
            require(value > 0, name, "a number > 0", value)
        require(density_contrast != 0, "density_contrast", "a number that is not 0", density_contrast)
        require(data_error_mgal > 0, "data_error_mgal", "a number > 0", data_error_mgal)
        self.width, self.density = float(width_m), float(density_contrast)
        self.noise = float(data_error_mgal)
        position = self.width * np.arange(1, points + 1) / (points + 1)
        trend = depth_m * (1.0 - np.abs(2.0 * position / self.width - 1.0) ** exponent)
        super().__init__(trend, position, level_sd=level_sd, shape_sd=shape_sd, correlation_m=correlation_m)
        self.stations = self.width * (np.arange(stations) + 0.5) / stations
        # The bed's corners seen from each station, margins included: [M, P + 2].
        self.corners = np.concatenate([[0.0], position, [self.width]]) - self.stations[:, None]
        self.names = [f"thickness_m_{index + 1:02d}" for index in range(points)]
        self.y_names = [f"gravity_mgal_{index + 1:02d}" for index in range(stations)]

    def simulate(self, x: np.ndarray) -> np.ndarray:
        """Return the gravity anomaly `[..., M]` in mGal of thicknesses `[..., P]` in m, negative for light ice."""
        x = np.asarray(x, np.float64)
        rows = x.reshape(-1, self.dim)
        out = np.empty((len(rows), len(self.stations)))
        # Blocks that stay in the processor's cache.
        for start in range(0, len(rows), 256):
            block = rows[start : start + 256]
            bed = np.pad(block, ((0, 0), (1, 1)))[:, None, :]
            out[start : start + 256] = polygon_gravity_mgal(self.corners, bed, self.density)
        return out.reshape(*x.shape[:-1], -1)
