"""`flowpkg collect`: one table of every run's metrics."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from flowpkg.errors import DataError
from flowpkg.files import atomic_path, read_json
from flowpkg.metrics import flat
from flowpkg.tables import write_table


def collect(evaluations: list[str | Path], out: str | Path, *, html: str | Path | None = None) -> None:
    """Write one row per run and metric: run, application, metric, value; groups of metrics are named with dots.

    Args:
        evaluations: folders of `flowpkg evaluate`, `<results>/<run>/evaluation`.
        out: CSV or Parquet file.
        html: also a table for reading, runs across, in this file.

    Raises:
        DataError: an evaluation is missing or two runs have one name.
    """
    rows = []
    for folder in map(Path, evaluations):
        application = read_json(folder / "provenance.json")["settings"]["application"]
        for metric, value in flat(read_json(folder / "metrics.json")).items():
            rows.append(
                {"run": folder.resolve().parent.name, "application": application, "metric": metric, "value": value}
            )
    frame = pd.DataFrame(rows, columns=["run", "application", "metric", "value"])
    if frame.duplicated(["run", "metric"]).any():
        raise DataError("collect: expected runs of different names; got one name twice")
    write_table(out, frame)
    if html:
        wide = frame.pivot(index="metric", columns="run", values="value").map(
            lambda value: "" if pd.isna(value) else f"{value:.4g}"
        )
        style = "<style>body{font-family:sans-serif}table{border-collapse:collapse}td,th{padding:.25em .8em;"
        style += "border-bottom:1px solid #ccc;text-align:right}</style>"
        with atomic_path(html) as temporary:
            page = f"<!doctype html><meta charset='utf-8'><title>Metrics</title>{style}{wide.to_html(border=0)}\n"
            temporary.write_text(page, encoding="utf-8")
