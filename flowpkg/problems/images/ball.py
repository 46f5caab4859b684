"""Draw balls."""

from __future__ import annotations

import numpy as np

from flowpkg.problems.images.canvas import Canvas, Factors, column
from flowpkg.problems.images.scene import Light, draw_background, shaded

KINDS = ("beach", "tennis", "football", "basketball", "plain")
BRIGHT = {
    "red": (220, 50, 45),
    "blue": (45, 95, 205),
    "yellow": (245, 205, 50),
    "green": (50, 165, 80),
    "orange": (240, 130, 40),
    "purple": (130, 70, 170),
}
_GOLDEN = (1.0 + 5.0**0.5) / 2.0
# The twelve patches of a football are centred on the corners of an icosahedron.
CORNERS = np.array(
    [
        corner
        for a in (-1.0, 1.0)
        for b in (-_GOLDEN, _GOLDEN)
        for corner in ((0.0, a, b), (a, b, 0.0), (b, 0.0, a))
    ]
) / np.hypot(1.0, _GOLDEN)  # fmt: skip


def rotations(factors: Factors) -> np.ndarray:
    """Draw and record three angles, and return the rotations `[n, 3, 3]`, rows the ball's axes as seen."""
    a, b, c = (np.deg2rad(factors.uniform(f"turn_{axis}_deg", 0.0, 360.0)) for axis in "xyz")
    zero, one = np.zeros_like(a), np.ones_like(a)

    def matrix(*rows):
        return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)

    about_x = matrix((one, zero, zero), (zero, np.cos(a), -np.sin(a)), (zero, np.sin(a), np.cos(a)))
    about_y = matrix((np.cos(b), zero, np.sin(b)), (zero, one, zero), (-np.sin(b), zero, np.cos(b)))
    about_z = matrix((np.cos(c), -np.sin(c), zero), (np.sin(c), np.cos(c), zero), (zero, zero, one))
    return about_z @ about_y @ about_x


def draw_balls(canvas: Canvas, factors: Factors) -> None:
    """Draw one ball on each picture: a shaded sphere with its kind's pattern, a highlight and a shadow."""
    draw_background(canvas, factors)
    light = Light(factors)
    n = len(factors)
    size = factors.centred("scale", 0.5, 0.82)
    x, y = factors.centred("x", -0.2, 0.2), factors.centred("y", -0.15, 0.15)
    frame = canvas.frame.moved(x, y, scale=size)
    kind = factors.choice("ball", KINDS, (1.6, 1.0, 1.0, 1.0, 0.6))
    first, second = (factors.colour(name, BRIGHT) for name in ("colour_1", "colour_2"))
    white = np.full((n, 3), 0.95)

    shadow = frame.ellipse(-0.25 * light.x, 1.02, 0.85, 0.2)
    canvas.paint(frame, shadow, np.tile([0.12, 0.12, 0.14], (n, 1)), opacity=0.45, soft=0.3 / frame.pixel)
    base = np.select(
        [(kind == k)[:, None] for k in range(4)],
        [white, np.tile([0.8, 0.88, 0.2], (n, 1)), white, np.tile([0.86, 0.45, 0.16], (n, 1))],
        first,
    )
    brightness = light.on(frame, 0.0, 0.0, 1.0, 1.0) + column(0.35 * light.strength) * (1.0 - frame.x**2 - frame.y**2)
    covered = canvas.paint(frame, frame.ellipse(0.0, 0.0, 1.0, 1.0), shaded(base, brightness))

    # The sphere's surface in the ball's own axes, seen along -z.
    depth = np.sqrt(np.clip(1.0 - frame.x**2 - frame.y**2, 1e-4, None))
    turn = rotations(factors).astype(np.float32)
    a, b, c = (
        column(turn[:, axis, 0]) * frame.x + column(turn[:, axis, 1]) * frame.y + column(turn[:, axis, 2]) * depth
        for axis in range(3)
    )
    # Edges are smooth over a pixel where the surface faces the viewer.
    stretch = np.maximum(depth, np.float32(0.3))
    for k, name in enumerate(KINDS[:4]):
        chosen = (kind == k).astype(float)
        if not chosen.any():
            continue
        if name == "beach":
            # Six gores between poles at +-c: sign of cos(3 angle), written without the angle.
            around = np.sqrt(a * a + b * b) + np.float32(1e-3)
            gore = (4.0 * (a / around) ** 3 - 3.0 * a / around) * around / 3.0
            canvas.paint(frame, gore * stretch, shaded(first, brightness), opacity=chosen, inside=covered)
            other = np.maximum(gore, (0.5 * a - np.float32(0.866) * b)) * stretch
            canvas.paint(frame, other, shaded(second, brightness), opacity=chosen, inside=covered)
            canvas.paint(
                frame,
                (np.float32(0.97) - np.abs(c)) * stretch,
                shaded(white, brightness),
                opacity=chosen,
                inside=covered,
            )
        elif name == "tennis":
            seam = np.abs(c - np.float32(1.1) * a * b * np.float32(2.0)) / np.float32(1.8) - np.float32(0.06)
            canvas.paint(frame, seam * stretch, shaded(white, brightness), opacity=chosen, inside=covered)
        elif name == "football":
            nearest = np.max([a * p + b * q + c * r for p, q, r in CORNERS.astype(np.float32)], axis=0)
            patch = (np.float32(0.93) - nearest) * np.float32(2.2)
            canvas.paint(
                frame, patch * stretch, shaded(np.full((n, 3), 0.1), brightness), opacity=chosen, inside=covered
            )
        else:
            seams = np.minimum(
                np.minimum(np.abs(a), np.abs(b)),
                np.abs(a * a + np.float32(0.35) * c * c - np.float32(0.4)) * np.float32(0.9),
            )
            line = (seams - np.float32(0.04)) * stretch
            canvas.paint(frame, line, shaded(np.full((n, 3), 0.12), brightness), opacity=chosen, inside=covered)
    gloss = factors.uniform("gloss", 0.25, 0.85)
    spot = frame.ellipse(0.42 * light.x, 0.42 * light.y, 0.2, 0.2)
    canvas.paint(frame, spot, np.ones((n, 3)), opacity=gloss, soft=0.18 / frame.pixel, inside=covered)
    light.expose(canvas)
