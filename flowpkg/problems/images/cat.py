"""Draw cats."""

from __future__ import annotations

import numpy as np

from flowpkg.problems.images.canvas import Canvas, Factors
from flowpkg.problems.images.scene import Head, Light, draw_background, mix, shaded

FUR = {
    "orange": (224, 140, 60),
    "grey": (140, 142, 150),
    "black": (58, 54, 58),
    "white": (238, 234, 226),
    "brown": (150, 110, 74),
    "cream": (228, 200, 158),
    "blue": (112, 122, 142),
}
EYES = {"green": (140, 196, 80), "yellow": (232, 200, 60), "blue": (96, 170, 222), "copper": (206, 130, 44)}
NOSES = {"pink": (226, 140, 146), "dark": (92, 62, 62)}
PATTERNS = ("plain", "tabby", "bicolour", "points")


def draw_cats(canvas: Canvas, factors: Factors) -> None:
    """Draw one cat on each picture: pointed ears, slit pupils, small nose, whiskers."""
    draw_background(canvas, factors)
    light = Light(factors)
    head = Head(canvas, factors, (0.56, 0.72), 0.14)
    n, frame = len(factors), head.frame
    fur = factors.colour("fur", FUR, (1.4, 1.3, 0.9, 1.0, 1.0, 1.0, 0.8))
    pattern = factors.choice("pattern", PATTERNS, (1.0, 1.4, 1.0, 0.7))
    luminance = fur.mean(axis=1)
    dark = np.where((luminance < 0.35)[:, None], mix(fur, np.ones((n, 3)), 0.22), fur * 0.6)
    pale = mix(fur, np.array([0.97, 0.95, 0.92]), np.where(luminance < 0.35, 0.25, 0.55))
    pale = np.where((pattern == 2)[:, None], np.array([0.97, 0.95, 0.92]), pale)
    ear_fur = np.where((pattern == 3)[:, None], np.array([0.28, 0.21, 0.18]), fur)
    tall = factors.centred("face_height", 0.78, 0.92)
    ruff = factors.uniform("ruff", 0.0, 1.0)

    body = frame.ellipse(-0.5 * np.sin(head.yaw), 1.5, 0.98, 0.95)
    canvas.paint(frame, body, shaded(fur * 0.88, light.on(frame, 0.0, 1.3, 1.1, 0.9)))
    bib = frame.ellipse(-0.4 * np.sin(head.yaw), 1.45, 0.5, 0.75)
    canvas.paint(frame, bib, pale * 0.93, opacity=np.where(pattern == 2, 1.0, 0.0), soft=2.0)

    point, spread = factors.uniform("ear_height", 1.32, 1.62), factors.centred("ear_spread", 0.66, 0.9)
    brightness = light.on(frame, 0.0, 0.0, 1.05, tall)
    for side in (-1, 1):
        outer, inner, tip = (
            head.place(side * across, down, -0.1)
            for across, down in ((0.97, -0.2), (0.2, -0.72), (spread, -point))
        )  # fmt: skip
        corners = [outer, tip, inner] if side < 0 else [inner, tip, outer]
        canvas.paint(frame, frame.triangle(corners, rounding=0.03), shaded(ear_fur, brightness))
        middle = [np.mean([corner[axis] for corner in corners], axis=0) for axis in (0, 1)]
        small = [tuple(middle[axis] + 0.56 * (corner[axis] - middle[axis]) for axis in (0, 1)) for corner in corners]
        canvas.paint(frame, frame.triangle(small), shaded(mix(ear_fur, np.array([0.93, 0.62, 0.6]), 0.7), brightness))

    face = np.minimum(
        frame.ellipse(0.0, 0.0, 1.0, tall),
        np.minimum(
            *(
                frame.ellipse(*head.place(side * 0.58, 0.34, 0.1), 0.42 + 0.1 * ruff, 0.36 + 0.06 * ruff)
                for side in (-1, 1)
            )
        ),
    )
    covered = canvas.paint(frame, face, shaded(fur, brightness))

    tabby, points, white = (np.where(pattern == kind, 1.0, 0.0) for kind in (1, 3, 2))
    for across, down in ((0.0, -0.34), (-0.22, -0.4), (0.22, -0.4)):
        stripe = frame.stroke(head.place(across * 0.7, down, 0.75), head.place(across * 1.5, -0.86, 0.3), 0.055)
        canvas.paint(frame, stripe, shaded(dark, brightness), opacity=0.9 * tabby, inside=covered)
    for side in (-1, 1):
        for down in (0.1, 0.34):
            stripe = frame.stroke(head.place(side * 0.74, down, 0.3), head.place(side * 1.1, down - 0.1, 0.0), 0.05)
            canvas.paint(frame, stripe, shaded(dark, brightness), opacity=0.85 * tabby, inside=covered)
    mask = frame.ellipse(*head.place(0.0, 0.25, 0.7), 0.55, 0.5)
    canvas.paint(
        frame,
        mask,
        shaded(np.tile([0.3, 0.22, 0.19], (n, 1)), brightness),
        opacity=0.8 * points,
        soft=0.35 / frame.pixel,
    )
    blaze = frame.triangle(
        [head.place(0.0, -0.7, 0.6), head.place(0.34, 0.4, 0.8), head.place(-0.34, 0.4, 0.8)], rounding=0.04
    )
    canvas.paint(frame, blaze, shaded(pale, brightness), opacity=white, inside=covered)

    muzzle = np.minimum(*(frame.ellipse(*head.place(side * 0.19, 0.41, 0.9), 0.27, 0.21) for side in (-1, 1)))
    muzzle = np.minimum(muzzle, frame.ellipse(*head.place(0.0, 0.58, 0.85), 0.2, 0.16))
    muzzle_fur = np.where((pattern == 3)[:, None], np.array([0.42, 0.33, 0.29]), pale)
    canvas.paint(frame, muzzle, shaded(muzzle_fur, brightness), soft=1.5)

    iris = factors.colour("eyes", EYES)
    wide = factors.centred("eye_open", 0.55, 1.0)
    pupil = factors.uniform("pupil_width", 0.05, 0.13)
    apart, gaze = factors.centred("eye_distance", 0.38, 0.46), factors.centred("gaze", -0.06, 0.06)
    rim = np.tile([0.1, 0.08, 0.08], (n, 1))
    for side in (-1, 1):
        x, y = head.place(side * apart, -0.08, 0.72)
        slant = side * -0.22
        canvas.paint(frame, frame.ellipse(x, y, 0.275, 0.055 + 0.215 * wide, turn=np.full(n, slant)), rim)
        opening = canvas.paint(frame, frame.ellipse(x, y, 0.235, 0.01 + 0.205 * wide, turn=np.full(n, slant)), iris)
        canvas.paint(frame, frame.ellipse(x + gaze, y, pupil, 0.2), rim, inside=opening)
        canvas.paint(
            frame, frame.ellipse(x + gaze - 0.07, y - 0.08 * wide, 0.055, 0.055), np.ones((n, 3)), inside=opening
        )

    nose = factors.colour("nose", NOSES, (1.6, 1.0))
    corners = [head.place(-0.13, 0.2, 1.0), head.place(0.13, 0.2, 1.0), head.place(0.0, 0.34, 1.0)]
    canvas.paint(frame, frame.triangle(corners, rounding=0.015), nose)
    smile = factors.centred("smile", 0.0, 0.1)
    for side in (-1, 1):
        for start, end in (((0.0, 0.34), (0.0, 0.46)), ((0.0, 0.46), (0.1, 0.51)), ((0.1, 0.51), (0.21, 0.5 - smile))):
            line = frame.stroke(*(head.place(side * across, down, 0.95) for across, down in (start, end)), 0.02)
            canvas.paint(frame, line, rim, opacity=0.85)
    whisker = np.where((luminance < 0.75)[:, None], np.full(3, 0.97), np.full(3, 0.45))
    droop = factors.centred("whisker_droop", -0.12, 0.2)
    for side in (-1, 1):
        for start, end in ((0.36, 0.24), (0.42, 0.44), (0.48, 0.64)):
            line = frame.stroke(head.place(side * 0.3, start, 0.85), head.place(side * 1.18, end + droop, 0.2), 0.013)
            canvas.paint(frame, line, whisker, opacity=0.6)
    light.expose(canvas)
