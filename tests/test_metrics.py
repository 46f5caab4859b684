"""Metrics in groups, and the tables made of them."""

import json

import numpy as np
import pandas as pd
import pytest

from flowpkg.commands.collect import collect
from flowpkg.commands.compare import compare
from flowpkg.errors import DataError
from flowpkg.metrics import flat, plain

NESTED = {
    "accuracy": np.float32(0.5),
    "auroc": {"ball": {"nll": np.float64(0.75), "combined": 1}, "dog": {"nll": 0.25}},
}


@pytest.fixture
def evaluations(tmp_path):
    folders = []
    for index, name in enumerate("ab"):
        folder = tmp_path / name / "evaluation"
        folder.mkdir(parents=True)
        metrics = plain(NESTED) | {"accuracy": 0.5 + index}
        (folder / "metrics.json").write_text(json.dumps(metrics))
        (folder / "provenance.json").write_text(json.dumps({"settings": {"application": "image_generation"}}))
        folders.append(folder)
    return folders


def test_plain_and_flat():
    assert json.loads(json.dumps(plain(NESTED)))["auroc"]["ball"] == {"nll": 0.75, "combined": 1.0}
    assert flat(NESTED) == {"accuracy": 0.5, "auroc.ball.nll": 0.75, "auroc.ball.combined": 1, "auroc.dog.nll": 0.25}


def test_collect_names_metrics_of_groups_with_dots(evaluations, tmp_path):
    collect(evaluations, tmp_path / "summary.csv", html=tmp_path / "summary.html")
    frame = pd.read_csv(tmp_path / "summary.csv")
    assert frame[frame.metric == "auroc.ball.nll"].value.tolist() == [0.75, 0.75]
    assert "auroc.dog.nll" in (tmp_path / "summary.html").read_text()


def test_compare_finds_metrics_of_groups(evaluations, tmp_path):
    column = {"metric": "auroc.ball.nll", "label": "AUROC|balls", "goal": "", "best": "high"}
    compare([column], evaluations, [tmp_path / "c.csv"])
    assert pd.read_csv(tmp_path / "c.csv")["auroc.ball.nll"].tolist() == [0.75, 0.75]
    with pytest.raises(DataError, match="expected the metric auroc.ball.none"):
        compare([{**column, "metric": "auroc.ball.none"}], evaluations, [tmp_path / "c.csv"])


def test_collect_shows_errors_behind_numbers_and_the_seconds_of_each_step(evaluations, tmp_path):
    for folder in evaluations:
        metrics = json.loads((folder / "metrics.json").read_text()) | {"accuracy_se": 0.0123}
        (folder / "metrics.json").write_text(json.dumps(metrics))
    paths = []
    for run, seconds in (("a", "1.5"), ("b", "2.25")):
        paths.append(tmp_path / run / "logs" / "train_model.benchmark.tsv")
        paths[-1].parent.mkdir()
        paths[-1].write_text(f"s\th:m:s\tmax_rss\n{seconds}\t0:00:01\t{'-' if run == 'a' else 700}\n")
    page, timings = tmp_path / "summary.html", tmp_path / "timings.csv"
    collect(evaluations, tmp_path / "summary.csv", html=page, benchmarks=paths, timings=timings)
    text = page.read_text()
    assert "<h2>Image generation</h2>" in text and "0.5 &plusmn; 0.01" in text and "3.8" in text
    assert "accuracy_se" not in text and "accuracy_se" in (tmp_path / "summary.csv").read_text()
    frame = pd.read_csv(timings)
    assert frame[["run", "step", "seconds"]].values.tolist() == [["a", "train_model", 1.5], ["b", "train_model", 2.25]]
    assert np.isnan(frame.peak_mb[0]) and frame.peak_mb[1] == 700
    paths[0].write_text("nothing\n")
    with pytest.raises(DataError, match="a/logs/train_model.benchmark.tsv: expected a Snakemake benchmark file"):
        collect(evaluations, tmp_path / "summary.csv", benchmarks=paths)
