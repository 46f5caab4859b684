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
