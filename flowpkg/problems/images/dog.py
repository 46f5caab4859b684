"""Draw dogs."""

from __future__ import annotations

import numpy as np

from flowpkg.problems.images.canvas import Canvas, Factors
from flowpkg.problems.images.scene import Head, Light, draw_background, mix, shaded

COATS = {
    "golden": (214, 168, 98),
    "chestnut": (140, 84, 50),
    "black": (60, 56, 58),
    "white": (236, 230, 220),
    "grey": (142, 140, 140),
    "tan": (196, 150, 106),
}
TONGUE = np.array([0.9, 0.45, 0.5])


def draw_dogs(canvas: Canvas, factors: Factors) -> None:
    """Draw one dog on each picture: hanging ears, long muzzle, big nose, round dark eyes, often a tongue."""
    draw_background(canvas, factors)
    light = Light(factors)
    head = Head(canvas, factors, (0.5, 0.64), -0.06)
    n, frame = len(factors), head.frame
    coat = factors.colour("fur", COATS)
    second = factors.colour("ear_fur", COATS)
    matched = factors.choice("ears_match", ("yes", "no"), (0.6, 0.4)) == 0
    luminance = coat.mean(axis=1)
    ear = np.where(matched[:, None], np.where((luminance < 0.3)[:, None], coat * 1.35, coat * 0.66), second * 0.9)
    pale = mix(coat, np.array([0.98, 0.95, 0.9]), np.where(luminance < 0.35, 0.3, 0.6))
    narrow = factors.centred("face_width", 0.76, 0.92)
    brightness = light.on(frame, 0.0, 0.1, 0.95, 1.15)

    body = frame.ellipse(-0.4 * np.sin(head.yaw), 1.85, 1.0, 1.0)
    canvas.paint(frame, body, shaded(coat * 0.86, light.on(frame, 0.0, 1.6, 1.1, 0.9)))
    chest = frame.ellipse(-0.3 * np.sin(head.yaw), 1.8, 0.5, 0.75)
    canvas.paint(frame, chest, pale * 0.92, soft=3.0)

    skull = frame.ellipse(0.0, -0.12, narrow, 0.88)
    jaw = frame.ellipse(*head.place(0.0, 0.5, 0.3), 0.66 * narrow / 0.84, 0.62)
    covered = canvas.paint(frame, np.minimum(skull, jaw), shaded(coat, brightness))
    patch_side = np.where(factors.choice("eye_patch", ("left", "right", "none"), (1.0, 1.0, 2.0)) == 0, -1.0, 1.0)
    patch = (factors.values["eye_patch"] != "none").astype(float)
    x, y = head.place(patch_side * 0.36, -0.2, 0.6)
    canvas.paint(
        frame, frame.ellipse(x, y, 0.36, 0.42), shaded(ear, brightness), opacity=patch, inside=covered, soft=2.0
    )
    blaze = frame.ellipse(*head.place(0.0, -0.35, 0.75), 0.15, 0.62)
    has_blaze = (factors.choice("blaze", ("yes", "no")) == 0).astype(float)
    canvas.paint(frame, blaze, shaded(pale, brightness), opacity=has_blaze, inside=covered, soft=1.5)

    length, out = factors.uniform("ear_length", 0.55, 0.8), factors.centred("ear_out", 0.0, 0.3)
    for side in (-1, 1):
        x, y = head.place(side * (0.86 + 0.3 * out), -0.62 + length, -0.1)
        lobe = frame.ellipse(x, y, 0.29, length, turn=-side * (0.1 + out))
        root = frame.ellipse(*head.place(side * 0.72, -0.62, 0.0), 0.33, 0.27, turn=np.full(n, side * 0.5))
        canvas.paint(frame, np.minimum(lobe, root), shaded(ear, light.on(frame, x, y, 0.6, 0.9)))

    muzzle_width, drop = factors.centred("muzzle_width", 0.4, 0.52), factors.centred("muzzle_length", 0.42, 0.58)
    x, y = head.place(0.0, 0.32 + drop * 0.35, 1.0)
    tongue_out = factors.choice("tongue", ("out", "in"), (0.6, 0.4)) == 0
    hang = factors.uniform("tongue_length", 0.18, 0.36)
    tongue = frame.ellipse(x, y + 0.36 + 0.5 * hang, 0.16, 0.12 + hang)
    canvas.paint(frame, tongue, np.tile(TONGUE * 0.93, (n, 1)), opacity=tongue_out.astype(float))
    canvas.paint(
        frame,
        frame.stroke((x, y + 0.3), (x, y + 0.36 + hang), 0.02),
        np.tile(TONGUE * 0.72, (n, 1)),
        opacity=tongue_out.astype(float),
    )
    muzzle = np.minimum(
        frame.ellipse(x, y - 0.08, muzzle_width * 0.86, drop * 0.82),
        np.minimum(*(frame.ellipse(x + side * 0.2, y + 0.12, muzzle_width * 0.66, 0.3) for side in (-1, 1))),
    )
    canvas.paint(frame, muzzle, shaded(pale, light.on(frame, x, y, muzzle_width * 1.1, drop * 1.2)), soft=1.5)

    black = np.tile([0.09, 0.08, 0.09], (n, 1))
    mouth = y + 0.2
    canvas.paint(frame, frame.stroke((x, y - 0.05), (x, mouth), 0.025), black, opacity=0.85)
    for side in (-1, 1):
        bend, end = (x + side * 0.16, mouth + 0.06), (x + side * 0.32, mouth - 0.04 - 0.05 * tongue_out)
        for line in (frame.stroke((x, mouth), bend, 0.025), frame.stroke(bend, end, 0.025)):
            canvas.paint(frame, line, black, opacity=0.85)
    nose = frame.ellipse(x, y - 0.2, factors.centred("nose_width", 0.2, 0.26), 0.15)
    canvas.paint(frame, nose, black)
    canvas.paint(frame, frame.ellipse(x - 0.06, y - 0.26, 0.06, 0.035), np.full((n, 3), 0.62), opacity=0.8)

    apart, wide = factors.centred("eye_distance", 0.33, 0.42), factors.centred("eye_open", 0.7, 1.0)
    iris = np.tile([0.27, 0.15, 0.08], (n, 1))
    halo = np.where((luminance < 0.35)[:, None], mix(coat, np.array([0.75, 0.55, 0.35]), 0.7), coat * 0.72)
    for side in (-1, 1):
        x, y = head.place(side * apart, -0.2, 0.7)
        canvas.paint(frame, frame.ellipse(x, y, 0.19, 0.19 * wide), halo)
        canvas.paint(frame, frame.ellipse(x, y, 0.145, 0.145 * wide), black)
        canvas.paint(frame, frame.ellipse(x, y + 0.02, 0.1, 0.1 * wide), iris)
        canvas.paint(frame, frame.ellipse(x, y + 0.01, 0.06, 0.06), black)
        canvas.paint(frame, frame.ellipse(x - 0.05, y - 0.06 * wide, 0.045, 0.045), np.ones((n, 3)))
        lift = factors.values.get("brow_lift")
        lift = factors.centred("brow_lift", 0.0, 0.1) if lift is None else lift
        brow = frame.ellipse(x + side * 0.02, y - 0.28 - lift, 0.12, 0.05, turn=np.full(n, side * 0.3))
        canvas.paint(frame, brow, mix(pale, coat, 0.2), opacity=0.7, soft=1.5)
    light.expose(canvas)
