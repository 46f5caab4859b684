"""`flowpkg compare`: one table of several runs side by side, drawn for print."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from flowpkg.errors import DataError, SettingsError
from flowpkg.figures.comparison import draw_table
from flowpkg.figures.style import STYLE_SHEET, save_figure, use_style
from flowpkg.files import read_json, sha256_of_json
from flowpkg.metrics import flat
from flowpkg.tables import write_table


def compare(
    columns: list[dict[str, Any]],
    evaluations: list[str | Path],
    out: list[str | Path],
    *,
    style: str | Path = STYLE_SHEET,
) -> None:
    """Write metrics of several runs as a table (CSV or Parquet) and as a figure (PNG or PDF).

    Args:
        columns: for each column `metric` (`auroc.ball.nll` if in a group), `label`, `goal` (text) and `best` (`low`,
            `high` or `none`).
        evaluations: folders of `flowpkg evaluate`, one for each row.
        out: file names.
        style: Matplotlib style sheet.

    Raises:
        DataError: a run lacks one of the metrics.
        SettingsError: unknown suffix.
    """
    names, values = [], []
    for folder in map(Path, evaluations):
        metrics = flat(read_json(folder / "metrics.json"))
        missing = [column["metric"] for column in columns if column["metric"] not in metrics]
        if missing:
            raise DataError(f"{folder / 'metrics.json'}: expected the metric {', '.join(missing)}; got none")
        names.append(folder.resolve().parent.name)
        values.append([metrics[column["metric"]] for column in columns])
    frame = pd.DataFrame(values, index=pd.Index(names, name="run"), columns=[c["metric"] for c in columns])
    best = pd.DataFrame(False, index=frame.index, columns=frame.columns)
    for column in columns:
        if column["best"] != "none":
            series = frame[column["metric"]]
            best[column["metric"]] = series == (series.min() if column["best"] == "low" else series.max())
    for path in out:
        suffix = Path(path).suffix
        if suffix in (".csv", ".parquet"):
            write_table(path, frame.reset_index())
        elif suffix in (".png", ".pdf"):
            with use_style(style):
                cells = [[f"{value:.3g}" for value in row] for row in values]
                figure = draw_table(
                    names, [c["label"] for c in columns], cells, best.to_numpy().tolist(), [c["goal"] for c in columns]
                )
                save_figure(figure, path, {"settings_sha256": sha256_of_json(columns), "figure": "comparison"}, 150)
        else:
            raise SettingsError(f"{path}: expected a file ending in .csv, .parquet, .png or .pdf; got {suffix}")
