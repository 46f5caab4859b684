"""`flowpkg collect`: one table of every run's metrics, and where the time went."""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd

from flowpkg.errors import DataError
from flowpkg.files import atomic_path, read_json
from flowpkg.metrics import flat
from flowpkg.tables import write_table

STYLE = (
    "<style>body{font-family:sans-serif}table{border-collapse:collapse;margin-bottom:2em}td,th{padding:.25em .8em;"
    "border-bottom:1px solid #ccc;text-align:right;white-space:nowrap}th:first-child{text-align:left}</style>"
)


def collect(
    evaluations: list[str | Path],
    out: str | Path,
    *,
    html: str | Path | None = None,
    benchmarks: list[str | Path] = (),
    timings: str | Path | None = None,
) -> None:
    """Write one row per run and metric: run, application, metric, value; groups of metrics are named with dots.

    Args:
        evaluations: folders of `flowpkg evaluate`, `<results>/<run>/evaluation`.
        out: CSV or Parquet file.
        html: also tables for reading, one for each application, in this file.
        benchmarks: Snakemake's benchmark files, `<results>/<run>/logs/<step>.benchmark.tsv`.
        timings: CSV or Parquet file for seconds and memory of each run and step; also shown in `html`.

    Raises:
        DataError: an evaluation or a benchmark is missing or damaged, or two runs have one name.
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
    spent = pd.DataFrame([_benchmark(Path(path)) for path in benchmarks], columns=["run", "step", "seconds", "peak_mb"])
    if timings:
        write_table(timings, spent)
    if html:
        text = [f"<!doctype html><meta charset='utf-8'><title>Metrics</title>{STYLE}"]
        for application, part in frame.groupby("application", sort=False):
            text += [f"<h2>{application.replace('_', ' ').capitalize()}</h2>", _readable(part)]
        if len(spent):
            text += ["<h2>Seconds of each step</h2>", _seconds(spent)]
        with atomic_path(html) as temporary:
            temporary.write_text("\n".join(text) + "\n", encoding="utf-8")


def _benchmark(path: Path) -> dict:
    try:
        row = pd.read_csv(path, sep="\t").iloc[0]
        seconds = float(row["s"])
        # Snakemake writes "-" or "NA" for the memory of a job that ends before it is looked at.
        memory = float(pd.to_numeric(row["max_rss"], errors="coerce"))
    except (OSError, KeyError, IndexError, ValueError) as error:
        raise DataError(f"{path}: expected a Snakemake benchmark file; got {' '.join(str(error).split())}") from None
    return {
        "run": path.resolve().parents[1].name,
        "step": path.name.removesuffix(".benchmark.tsv"),
        "seconds": seconds,
        "peak_mb": memory,
    }


def _readable(part: pd.DataFrame) -> str:
    """Return one application's metrics as HTML, runs across; a standard error stands behind its number."""
    value = {(row.run, row.metric): row.value for row in part.itertuples()}
    runs, metrics = list(part["run"].unique()), list(part["metric"].unique())
    shown = [name for name in metrics if not (name.endswith("_se") and name.removesuffix("_se") in metrics)]

    def cell(run, metric):
        number, error = value.get((run, metric), math.nan), value.get((run, f"{metric}_se"), math.nan)
        if math.isnan(number):
            return ""
        return f"{number:.4g}" if math.isnan(error) else f"{number:.4g} &plusmn; {error:.1g}"

    table = pd.DataFrame([[cell(run, metric) for run in runs] for metric in shown], index=shown, columns=runs)
    return table.to_html(border=0, escape=False)


def _seconds(spent: pd.DataFrame) -> str:
    wide = spent.pivot(index="run", columns="step", values="seconds").reindex(spent["run"].unique())
    wide.loc["all runs"] = wide.sum()
    wide["all steps"] = wide.sum(axis=1)
    return wide.map(lambda value: "" if pd.isna(value) else f"{value:.1f}").rename_axis(None, axis=1).to_html(border=0)
