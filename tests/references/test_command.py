"""`flowpkg reference`: files, cache by content, errors."""

import json

import numpy as np
import pytest

from flowpkg.cli import main
from flowpkg.commands import reference as command
from flowpkg.commands.prepare import prepare
from flowpkg.files import read_arrays, read_json
from flowpkg.settings import resolve

SETTINGS = {
    "application": "parameter_estimation",
    "problem": {"name": "seismograms", "layers": 4, "receivers": [2], "samples": 12, "noise": 0.1},
    "data": {"train": 60, "validation": 10, "test": 100},
    "training": {"batch_size": 50},
    "evaluation": {"reference": {"samples": 200, "draws": 400}},
}


def test_a_reference_is_drawn_once_and_found_again(tmp_path, monkeypatch, capsys):
    prepare(resolve(SETTINGS), tmp_path / "data")
    call = ["reference", "--settings", json.dumps(SETTINGS), "--data", str(tmp_path / "data")]
    cache = ["--cache", str(tmp_path / "cache")]
    assert main([*call, *cache, "--out", str(tmp_path / "first")]) == 0
    arrays, report = read_arrays(tmp_path / "first" / "reference.npz"), read_json(tmp_path / "first" / "report.json")
    assert arrays["samples"].shape == (3, 200, 4) and arrays["y"].shape == (3, 12)
    np.testing.assert_array_equal(arrays["x"], np.load(tmp_path / "data" / "test_x.npy")[arrays["rows"]])
    assert max(report["rhat_max"]) <= 1.01 and report["seconds_per_effective_sample"] > 0
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [report["key"]]

    def never(*_):
        raise AssertionError("drawn again")

    monkeypatch.setattr(command, "_draw", never)
    assert main([*call, *cache, "--out", str(tmp_path / "second")]) == 0
    assert (tmp_path / "second" / "reference.npz").read_bytes() == (tmp_path / "first" / "reference.npz").read_bytes()
    with pytest.raises(AssertionError, match="drawn again"):
        main([*call, "--out", str(tmp_path / "third")])
    other = json.dumps(SETTINGS | {"seed": 2})
    with pytest.raises(AssertionError, match="drawn again"):
        main(["reference", "--settings", other, *call[3:], *cache, "--out", str(tmp_path / "third")])
    few = json.dumps(SETTINGS | {"evaluation": {"reference": {"samples": 5000, "draws": 400}}})
    assert main(["reference", "--settings", few, *call[3:], "--out", str(tmp_path / "third")]) == 2
    assert "evaluation.reference.samples: expected at most 3200, chains x draws; got 5000" in capsys.readouterr().err
    assert not (tmp_path / "third").exists()


def test_problems_without_sampling_are_refused(tmp_path, capsys):
    text = json.dumps({"application": "parameter_estimation", "problem": {"name": "arm"}})
    assert main(["reference", "--settings", text, "--data", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    assert "problem.name: expected a problem with reference posteriors by sampling; got arm" in capsys.readouterr().err
