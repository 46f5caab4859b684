"""What cats, dogs and balls share: background, light and pose."""

from __future__ import annotations

import numpy as np

from flowpkg.problems.images.canvas import Canvas, Factors, Frame, column

BACKGROUNDS = {
    "sky": (150, 190, 225),
    "grass": (110, 150, 85),
    "sand": (215, 195, 160),
    "wall": (195, 190, 185),
    "night": (60, 65, 95),
    "wood": (150, 110, 80),
    "rose": (205, 150, 155),
    "teal": (80, 140, 140),
}


def draw_background(canvas: Canvas, factors: Factors) -> None:
    """Fill with a gradient between two colours and one out-of-focus blob."""
    first = factors.colour("background", BACKGROUNDS, spread=0.08)
    fade = factors.uniform("background_fade", -0.3, 0.3)[:, None]
    second = np.clip(first + fade, 0.05, 0.98)
    angle = factors.uniform("background_angle_deg", 0.0, 360.0)
    radians = np.deg2rad(angle)
    share = 0.5 + 0.4 * (canvas.frame.x * column(np.cos(radians)) + canvas.frame.y * column(np.sin(radians)))
    first, second = (tone[:, :, None, None].astype(np.float32) for tone in (first, second))
    canvas.fill(first + share[:, None].astype(np.float32) * (second - first))
    x, y = factors.uniform("blob_x", -1.0, 1.0), factors.uniform("blob_y", -1.0, 1.0)
    blob = canvas.frame.ellipse(x, y, 0.5, 0.5)
    tone = np.clip(first[:, :, 0, 0] + factors.uniform("blob_brightness", -0.2, 0.25)[:, None], 0.0, 1.0)
    canvas.paint(canvas.frame, blob, tone, opacity=0.6, soft=0.5 / canvas.frame.pixel)


class Light:
    """A light from one side: brightens what faces it.

    Args:
        factors: the pictures' factors; direction and strength are drawn and recorded.
    """

    def __init__(self, factors: Factors) -> None:
        # From above, as daylight is, anywhere between left and right.
        angle = factors.uniform("light_angle_deg", -70.0, 70.0)
        self.x, self.y = np.sin(np.deg2rad(angle)), -np.cos(np.deg2rad(angle))
        self.strength = factors.uniform("light_strength", 0.12, 0.34)
        self.exposure = factors.centred("exposure", 0.82, 1.14)

    def on(self, frame: Frame, x, y, across, down) -> np.ndarray:
        """Return the brightness `[n, side, side]` of an ellipsoid's surface over the pixels it covers."""
        right = np.clip((frame.x - column(x)) / column(across), -1.2, 1.2)
        below = np.clip((frame.y - column(y)) / column(down), -1.2, 1.2)
        facing = right * column(self.x) + below * column(self.y)
        edge = right * right + below * below
        return 1.0 + column(self.strength) * (facing - np.float32(0.45) * edge + np.float32(0.2))

    def expose(self, canvas: Canvas) -> None:
        """Scale the whole picture's brightness."""
        canvas.rgb *= self.exposure[:, None, None, None].astype(np.float32)


def shaded(colour: np.ndarray, brightness: np.ndarray) -> np.ndarray:
    """Return the field `[n, 3, side, side]` of a colour `[n, 3]` under a brightness."""
    return np.clip(np.asarray(colour, np.float32)[:, :, None, None] * brightness[:, None], 0.0, 1.0)


def mix(first: np.ndarray, second: np.ndarray, share) -> np.ndarray:
    """Return colours `[n, 3]` a share of the way from the first to the second."""
    share = np.broadcast_to(np.asarray(share, float), len(first))[:, None]
    return first + share * (np.asarray(second, float) - first)


class Head:
    """A head's frame: its unit is half the head's width; features move with pose.

    Args:
        canvas: where it is drawn.
        factors: the pictures' factors; place, size and pose are drawn and recorded.
        scale: least and largest size, as a share of half the picture.
    """

    def __init__(self, canvas: Canvas, factors: Factors, scale: tuple[float, float], rise: float) -> None:
        self.size = factors.centred("scale", *scale)
        x, y = factors.centred("x", -0.16, 0.16), rise + factors.centred("y", -0.1, 0.1)
        roll = np.deg2rad(factors.centred("roll_deg", -22.0, 22.0))
        self.yaw = np.deg2rad(factors.centred("yaw_deg", -28.0, 28.0))
        self.pitch = np.deg2rad(factors.centred("pitch_deg", -14.0, 14.0))
        self.x, self.y, self.roll = x, y, roll
        self.frame = canvas.frame.moved(x, y, turn=roll, scale=self.size)

    def place(
        self, right: float | np.ndarray, below: float | np.ndarray, depth: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return where a point of the head is seen; `depth` is how far it stands out towards the viewer."""
        x = right * np.cos(self.yaw) + depth * np.sin(self.yaw)
        y = below * np.cos(self.pitch) + depth * np.sin(self.pitch)
        return x, y
