"""Draw many pictures at once: shapes given by their distance functions, in NumPy."""

from __future__ import annotations

import numpy as np

from flowpkg.seeds import generator

Array = np.ndarray


def column(values: Array) -> Array:
    """Return one number a picture as `[n, 1, 1]`, to meet `[n, side, side]` fields."""
    return np.asarray(values, np.float32).reshape(-1, 1, 1)


class Frame:
    """Coordinates `[n, side, side]` of every pixel in a frame of its own for each picture.

    Args:
        x: rightward coordinate.
        y: downward coordinate.
        pixel: width of a pixel in the frame's unit, `[n, 1, 1]`.
    """

    def __init__(self, x: Array, y: Array, pixel: Array) -> None:
        self.x, self.y, self.pixel = x, y, pixel

    def moved(self, x: Array, y: Array, *, turn: Array | float = 0.0, scale: Array | float = 1.0) -> Frame:
        """Return the frame whose origin is at (x, y), turned by `turn` radians clockwise, with a unit of `scale`."""
        cos, sin = column(np.cos(turn) / scale), column(np.sin(turn) / scale)
        right, down = self.x - column(x), self.y - column(y)
        return Frame(cos * right + sin * down, cos * down - sin * right, self.pixel / column(scale))

    def ellipse(self, x, y, across, down, *, turn: Array | float = 0.0) -> Array:
        """Return about the signed distance to an ellipse of half-axes `across` and `down`; negative inside."""
        own = self if np.ndim(turn) == 0 and turn == 0.0 else None
        right, below = self.x - column(x), self.y - column(y)
        if own is None:
            cos, sin = column(np.cos(turn)), column(np.sin(turn))
            right, below = cos * right + sin * below, cos * below - sin * right
        right, below = right / column(across), below / column(down)
        radius = np.sqrt(right * right + below * below) + np.float32(1e-6)
        slope = np.sqrt((right / column(across)) ** 2 + (below / column(down)) ** 2) + np.float32(1e-6)
        return radius * (radius - np.float32(1.0)) / slope

    def triangle(self, corners, *, rounding: float = 0.0) -> Array:
        """Return about the signed distance to a triangle; `corners` are three (x, y), in clockwise order on screen."""
        distance = None
        for (x0, y0), (x1, y1) in zip(corners, [*corners[1:], corners[0]]):
            edge = np.hypot(np.subtract(x1, x0), np.subtract(y1, y0))
            across, down = column(np.subtract(y1, y0) / edge), column(-np.subtract(x1, x0) / edge)
            side = (self.x - column(x0)) * across + (self.y - column(y0)) * down
            distance = side if distance is None else np.maximum(distance, side)
        return distance - np.float32(rounding)

    def stroke(self, start, end, width) -> Array:
        """Return the signed distance to a stroke with round ends; `width` is its half-width."""
        (x0, y0), (x1, y1) = start, end
        right, below = column(np.subtract(x1, x0)), column(np.subtract(y1, y0))
        x, y = self.x - column(x0), self.y - column(y0)
        share = np.clip((x * right + y * below) / (right * right + below * below), 0.0, 1.0)
        return np.sqrt((x - share * right) ** 2 + (y - share * below) ** 2) - column(width)


class Canvas:
    """Pictures `[n, 3, side, side]` that shapes are painted on, colours in [0, 1].

    Args:
        count: number of pictures.
        size: side of the finished pictures in pixels.
        supersample: each pixel is the mean of this many squared; edges are smoothed over a pixel besides.
    """

    def __init__(self, count: int, size: int, supersample: int = 2) -> None:
        side = size * supersample
        self.supersample = supersample
        centres = ((np.arange(side, dtype=np.float32) + 0.5) * 2.0 / side - 1.0).astype(np.float32)
        x = np.broadcast_to(centres[None, None, :], (count, side, side))
        y = np.broadcast_to(centres[None, :, None], (count, side, side))
        self.frame = Frame(x, y, np.full((count, 1, 1), 2.0 / side, np.float32))
        self.rgb = np.zeros((count, 3, side, side), np.float32)

    def fill(self, colour: Array) -> None:
        """Set every pixel to `colour`, `[n, 3]` or a field `[n, 3, side, side]`."""
        self.rgb[:] = colour if colour.ndim == 4 else colour[:, :, None, None]

    def paint(self, frame: Frame, distance: Array, colour: Array, *, opacity=1.0, soft=1.0, inside=None) -> Array:
        """Paint where `distance` is negative and return the coverage.

        Args:
            frame: the frame in which the distance was measured.
            distance: signed distance, `[n, side, side]`.
            colour: `[n, 3]`, or a field `[n, 3, side, side]`.
            opacity: 1 covers; a number or one for each picture.
            soft: width of the edge in pixels.
            inside: coverage of another shape to stay within.
        """
        coverage = np.clip(np.float32(0.5) - distance / (frame.pixel * column(soft)), 0.0, 1.0) * column(opacity)
        if inside is not None:
            coverage *= inside
        colour = np.asarray(colour, np.float32)
        self.rgb += coverage[:, None] * ((colour if colour.ndim == 4 else colour[:, :, None, None]) - self.rgb)
        return coverage

    def levels(self, grain: Array) -> Array:
        """Return the pictures as `[n, size, size, 3]` levels 0 to 255, `grain` (in levels) added before rounding."""
        n, channels, side, _ = self.rgb.shape
        size = side // self.supersample
        small = self.rgb.reshape(n, channels, size, self.supersample, size, self.supersample).mean(axis=(3, 5))
        return np.clip(np.rint(small.transpose(0, 2, 3, 1) * 255.0 + grain), 0, 255).astype(np.uint8)


class Factors:
    """Factors of variation of many pictures, each picture from a random stream of its own.

    Args:
        seed: the run's seed.
        purpose: words that name the set of pictures, for example its split and kind.
        indices: which pictures; each has the same factors in whatever company it is drawn.
    """

    DRAWS = 64

    def __init__(self, seed: int, purpose: tuple[str, ...], indices) -> None:
        self.streams = [generator(seed, "faces", *purpose, int(index)) for index in indices]
        self._uniform = np.array([stream.random(self.DRAWS) for stream in self.streams]).reshape(-1, self.DRAWS)
        self._next = 0
        self.values: dict[str, Array] = {}

    def __len__(self) -> int:
        return len(self.streams)

    def _draw(self) -> Array:
        self._next += 1
        return self._uniform[:, self._next - 1]

    def uniform(self, name: str, low: float, high: float) -> Array:
        """Draw and record a number between `low` and `high`."""
        self.values[name] = low + (high - low) * self._draw()
        return self.values[name]

    def centred(self, name: str, low: float, high: float) -> Array:
        """Draw and record a number between `low` and `high` that favours the middle (the mean of two uniforms)."""
        self.values[name] = low + (high - low) * 0.5 * (self._draw() + self._draw())
        return self.values[name]

    def choice(self, name: str, options: tuple[str, ...], weights=None) -> Array:
        """Draw and record one of `options`; return its position."""
        weights = np.full(len(options), 1.0) if weights is None else np.asarray(weights, float)
        position = np.searchsorted(np.cumsum(weights)[:-1] / weights.sum(), self._draw(), side="right")
        self.values[name] = np.array(options)[position]
        return position

    def colour(
        self, name: str, palette: dict[str, tuple[int, int, int]], weights=None, *, spread: float = 0.05
    ) -> Array:
        """Draw and record a named colour, varied by up to `spread`; return `[n, 3]` in [0, 1]."""
        position = self.choice(name, tuple(palette), weights)
        base = np.array(list(palette.values()), float)[position] / 255.0
        brightness = 1.0 + 2.0 * spread * (2.0 * self._draw()[:, None] - 1.0)
        tint = spread * (2.0 * np.stack([self._draw() for _ in range(3)], axis=1) - 1.0)
        return np.clip(base * brightness + 0.5 * tint, 0.0, 1.0)

    def grain(self, size: int, sd: Array) -> Array:
        """Draw normal noise `[n, size, size, 3]` with one standard deviation for each picture."""
        noise = np.array([stream.standard_normal((size, size, 3), np.float32) for stream in self.streams])
        return noise.reshape(-1, size, size, 3) * np.asarray(sd, np.float32).reshape(-1, 1, 1, 1)
