"""A print-ready table of runs."""

import matplotlib.pyplot as plt

from flowpkg.figures.style import WIDTH


def draw_table(rows, columns, cells, best, goals):
    """Draw a table: runs in rows, metrics in columns, the best of a column in bold, goals in the last row.

    Args:
        rows: `[r]` names.
        columns: `[c]` heads; a line break may be written as `|`.
        cells: `[r][c]` texts.
        best: `[r][c]` whether to set in bold.
        goals: `[c]` texts, empty for none.
    """
    body = [*cells, goals] if any(goals) else list(cells)
    names = [*rows, "goal"] if any(goals) else list(rows)
    figure, ax = plt.subplots(figsize=(WIDTH, 0.55 + 0.24 * (len(body) + 1)))
    ax.set_axis_off()
    height, left = 1.0 / (len(body) + 1.8), 0.19
    place = [left + (i + 1) * (1.0 - left) / len(columns) for i in range(len(columns))]
    for x, head in zip(place, columns, strict=True):
        ax.text(x, 1.0, head.replace("|", "\n"), ha="right", va="top", fontsize=6.5, transform=ax.transAxes)
    for i, (name, line) in enumerate(zip(names, body, strict=True)):
        y = 1.0 - (i + 2.3) * height
        last = any(goals) and i == len(body) - 1
        if last:
            ax.plot([0, 1], [y + 0.55 * height] * 2, color="0.6", lw=0.5, transform=ax.transAxes)
        ax.text(0.0, y, name, fontsize=7, va="center", transform=ax.transAxes, style="italic" if last else "normal")
        for j, (x, text) in enumerate(zip(place, line, strict=True)):
            weight = "bold" if not last and best[i][j] else "normal"
            ax.text(x, y, text, ha="right", va="center", fontsize=7, weight=weight, transform=ax.transAxes)
    top = 1.0 - 1.7 * height
    ax.plot([0, 1], [top, top], color="black", lw=0.8, transform=ax.transAxes)
    return figure
