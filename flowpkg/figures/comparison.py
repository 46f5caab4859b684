"""A table of runs and their metrics."""

from __future__ import annotations

import textwrap

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from flowpkg.figures.style import ROLES, WIDTH

GAP, MARGIN = 0.14, 0.08  # inches between columns and at the edges


def text_width(figure: Figure, text: str, **look) -> float:
    """Return the width of a text in inches."""
    probe = figure.text(0, 0, text, **look)
    width = probe.get_window_extent(figure.canvas.get_renderer()).width / figure.dpi
    probe.remove()
    return width


def draw_table(
    rows: list[str], columns: list[str], cells: list[list[str]], best: list[list[bool]], goals: list[str]
) -> Figure:
    """Draw a table for print: runs by metrics, the best in bold, the goals in the last row.

    Args:
        rows: names of the runs.
        columns: names of the metrics; a line break may be written as `|`.
        cells: text of each run and metric.
        best: which cells to set in bold.
        goals: text of each metric's goal; no row of goals if all are empty.
    """
    figure = plt.figure(figsize=(WIDTH, 1.0), layout="none")
    heads = [
        column.replace("|", "\n") if "|" in column else textwrap.fill(column, 14, break_long_words=False)
        for column in columns
    ]
    for size in (9.0, 8.5, 8.0, 7.5, 7.0, 6.5, 6.0, 5.5, 5.0):
        first = max(text_width(figure, text, fontsize=size) for text in [*rows, "run", "goal"])
        widths = [
            max(
                text_width(figure, text, fontsize=size, weight="bold")
                for text in [heads[j], goals[j], *(line[j] for line in cells)]
            )
            for j in range(len(columns))
        ]
        total = first + sum(widths) + GAP * len(columns) + 2 * MARGIN
        if total <= WIDTH:
            break
    width = max(total, WIDTH)  # a table too wide for the page even in the smallest print is left whole
    gap = GAP + (width - total) / max(len(columns), 1)
    line = 1.75 * size / 72.0
    head = line * 0.75 * max(text.count("\n") + 1 for text in heads or [""]) + 0.3 * line
    height = head + line * (len(rows) + any(goals)) + 2 * MARGIN
    figure.set_size_inches(width, height)
    ax = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(0, height))
    ax.set_axis_off()
    ends, x = [], MARGIN + first
    for w in widths:
        x += gap + w
        ends.append(x)
    y = height - MARGIN

    def rule(at, weight):
        ax.plot([MARGIN / 2, width - MARGIN / 2], [at, at], color="black", lw=weight)

    rule(y, 1.2)
    ax.text(MARGIN, y - head + 0.2 * line, "run", fontsize=size, va="bottom")
    for text, end in zip(heads, ends):
        ax.text(end, y - head + 0.2 * line, text, fontsize=size, ha="right", va="bottom", linespacing=1.05)
    y -= head
    rule(y, 0.7)
    for name, texts, bold in zip(rows, cells, best):
        ax.text(MARGIN, y - 0.5 * line, name, fontsize=size, va="center_baseline")
        for text, strong, end in zip(texts, bold, ends):
            weight = "bold" if strong else "normal"
            ax.text(end, y - 0.5 * line, text, fontsize=size, ha="right", va="center_baseline", weight=weight)
        y -= line
    rule(y, 0.7 if any(goals) else 1.2)
    if not any(goals):
        return figure
    look = {"fontsize": size, "va": "center_baseline", "color": ROLES["reference"], "style": "italic"}
    ax.text(MARGIN, y - 0.5 * line, "goal", **look)
    for text, end in zip(goals, ends):
        ax.text(end, y - 0.5 * line, text, ha="right", **look)
    rule(y - line, 1.2)
    return figure
