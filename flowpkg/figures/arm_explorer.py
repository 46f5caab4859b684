"""An interactive page: drag the target of the planar arm and see the posterior of its joint angles."""

from __future__ import annotations

import json

import numpy as np

UNIT = 1e-3  # values are stored as integers in this unit

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Planar arm: posterior of the joint angles</title>
<style>
body { font-family: system-ui, sans-serif; color: #222; background: #fff; max-width: 46rem; margin: 0 auto;
  padding: 0.8rem; line-height: 1.45; }
h1 { font-size: 1.3rem; margin: 0 0 0.4rem; }
canvas { display: block; width: 100%; aspect-ratio: 1; border: 1px solid #bbb; border-radius: 4px;
  touch-action: none; cursor: crosshair; }
canvas:focus-visible { outline: 3px solid #0072B2; }
.controls { display: flex; flex-wrap: wrap; gap: 0.4rem 1rem; align-items: center; margin: 0.6rem 0; }
input[type=range] { flex: 1 1 10rem; min-width: 8rem; }
output { font-variant-numeric: tabular-nums; }
p { margin: 0.4rem 0; }
</style>
</head>
<body>
<h1>Planar arm: posterior of the joint angles</h1>
<p id="help">Drag the cross, or use the arrow keys, to choose where the arm should end. Each line is one arm drawn
from the learned posterior: its base slides on the vertical rail, and three joints turn.</p>
<canvas id="view" tabindex="0" role="application" aria-label="Plane of the arm; arrow keys move the target"
  aria-describedby="help status"></canvas>
<div class="controls">
<label for="count">Number of arms</label>
<input id="count" type="range" min="1" value="1">
<output id="shown" for="count"></output>
</div>
<p id="status" role="status" aria-live="polite"></p>
<noscript><p>This page needs JavaScript.</p></noscript>
<script id="data" type="application/json">@DATA@</script>
<script>
"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const view = document.getElementById("view"), pen = view.getContext("2d");
const count = document.getElementById("count"), shown = document.getElementById("shown");
const statusLine = document.getElementById("status");
const y1 = data.y1.map(v => v * data.unit), y2 = data.y2.map(v => v * data.unit);
const arms = data.x, reach = data.lengths.reduce((a, b) => a + b, 0);
const most = Math.max(1, ...arms.map(row => Math.max(...row.map(node => node.length / 4))));
count.max = most;
count.value = Math.min(most, 40);

function nearest(values, at) {
  let best = 0;
  values.forEach((v, i) => { if (Math.abs(v - at) < Math.abs(values[best] - at)) best = i; });
  return best;
}
let i = nearest(y1, 1.5), j = nearest(y2, 0);

// The base is drawn wherever the posterior puts it, so the view spans targets, rail and links.
const left = Math.min(-0.6 * reach, ...y1) - 0.1, right = Math.max(0.75 * reach, ...y1) + 0.1;
const middle = (Math.min(...y2) + Math.max(...y2)) / 2;
const span = Math.max(right - left, Math.max(...y2) - Math.min(...y2) + 0.8);
const x0 = (left + right - span) / 2, v0 = middle - span / 2;
let size = 300;
const px = x => (x - x0) / span * size, py = y => size - (y - v0) / span * size;

function positions(node, n) {
  const x = [0, 1, 2, 3].map(k => node[4 * n + k] * data.unit), points = [[0, x[0]]];
  let angle = 0;
  for (let k = 0; k < 3; k++) {
    angle += x[k + 1];
    const [a, b] = points[k];
    points.push([a + data.lengths[k] * Math.cos(angle), b + data.lengths[k] * Math.sin(angle)]);
  }
  return points;
}
function dot(x, y, r, colour) {
  pen.fillStyle = colour;
  pen.beginPath(); pen.arc(px(x), py(y), r, 0, 2 * Math.PI); pen.fill();
}
function line(points, colour, width) {
  pen.strokeStyle = colour; pen.lineWidth = width;
  pen.beginPath();
  points.forEach(([x, y], k) => k ? pen.lineTo(px(x), py(y)) : pen.moveTo(px(x), py(y)));
  pen.stroke();
}
function draw() {
  const scale = window.devicePixelRatio || 1;
  size = view.clientWidth || 300;
  view.width = view.height = Math.round(size * scale);
  pen.setTransform(scale, 0, 0, scale, 0, 0);
  pen.fillStyle = "#fff"; pen.fillRect(0, 0, size, size);
  pen.font = "12px system-ui, sans-serif"; pen.textAlign = "center";
  for (let t = Math.ceil(x0); t <= x0 + span; t++) {
    line([[t, v0], [t, v0 + span]], "#eee", 1);
    pen.fillStyle = "#666"; pen.fillText(t, px(t), size - 6);
  }
  for (let t = Math.ceil(v0); t <= v0 + span; t++) {
    line([[x0, t], [x0 + span, t]], "#eee", 1);
    pen.fillStyle = "#666"; pen.fillText(t, 12, py(t) - 3);
  }
  line([[0, v0], [0, v0 + span]], "#999", 3);
  const node = arms[i][j], all = node.length / 4, n = Math.min(+count.value, all);
  const chains = [];
  let sum = 0;
  for (let k = 0; k < all; k++) {
    const points = positions(node, k), [a, b] = points[3];
    sum += Math.hypot(a - y1[i], b - y2[j]);
    if (k < n) chains.push(points);
  }
  pen.globalAlpha = Math.max(0.25, Math.min(0.9, 12 / n));
  for (const points of chains) line(points, "#0072B2", 1.5);
  pen.globalAlpha = 0.7;
  for (const points of chains) {
    dot(...points[0], 2.5, "#4D4D4D"); dot(...points[1], 2.5, "#0072B2");
    dot(...points[2], 2.5, "#0072B2"); dot(...points[3], 3, "#D55E00");
  }
  pen.globalAlpha = 1;
  const cx = px(y1[i]), cy = py(y2[j]);
  pen.strokeStyle = "#000"; pen.lineWidth = 2;
  pen.beginPath(); pen.moveTo(cx - 8, cy - 8); pen.lineTo(cx + 8, cy + 8);
  pen.moveTo(cx - 8, cy + 8); pen.lineTo(cx + 8, cy - 8); pen.stroke();
  shown.textContent = n + " of " + all;
  statusLine.textContent = "Target (" + y1[i].toFixed(2) + ", " + y2[j].toFixed(2) + "), the nearest precomputed one. " +
    (all ? "Mean re-simulation distance of its " + all + " arms: " + (sum / all).toFixed(4) + " length units." :
      "No arms here.");
}
function move(event) {
  const box = view.getBoundingClientRect(), s = box.width;
  i = nearest(y1, x0 + (event.clientX - box.left) / s * span);
  j = nearest(y2, v0 + (box.bottom - event.clientY) / box.height * span);
  draw();
}
view.addEventListener("pointerdown", event => { view.setPointerCapture(event.pointerId); move(event); });
view.addEventListener("pointermove", event => { if (view.hasPointerCapture(event.pointerId)) move(event); });
view.addEventListener("keydown", event => {
  const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
  if (!step) return;
  event.preventDefault();
  i = Math.max(0, Math.min(y1.length - 1, i + step[0]));
  j = Math.max(0, Math.min(y2.length - 1, j + step[1]));
  draw();
});
count.addEventListener("input", draw);
window.addEventListener("resize", draw);
draw();
</script>
</body>
</html>
"""


def quantised(values: np.ndarray) -> list[int]:
    """Return values as a flat list of integers in UNIT."""
    return np.rint(np.asarray(values, float).reshape(-1) / UNIT).astype(int).tolist()


def page(evaluation) -> str:
    """Return one self-contained HTML page; arms that are not finite are left out."""
    arrays = evaluation.arrays
    x = np.asarray(arrays["explorer_x"], float)
    data = {
        "unit": UNIT,
        "lengths": np.asarray(arrays["lengths"], float).round(6).tolist(),
        "y1": quantised(arrays["explorer_y1"]),
        "y2": quantised(arrays["explorer_y2"]),
        "x": [[quantised(node[np.isfinite(node).all(axis=1)]) for node in row] for row in x],
    }
    return PAGE.replace("@DATA@", json.dumps(data, separators=(",", ":"), allow_nan=False))
