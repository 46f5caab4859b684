"""Simulations in shards: the same data whatever their number, resumed, and repaired."""

import json

import numpy as np
import pandas as pd
import pytest

from flowpkg.cli import main
from flowpkg.commands.prepare import prepare
from flowpkg.commands.simulate import simulate
from flowpkg.errors import DataError, SettingsError
from flowpkg.files import sha256_of
from flowpkg.problems import load_problem
from flowpkg.seeds import generator
from flowpkg.settings import resolve
from flowpkg.simulation import ArrayWriter, blocks_of_shard, plan
from tests.problems.test_simulator import GOOD

FAILING = GOOD.replace("    return np.stack(", "    x[x[:, 0] > 2.2] = np.nan\n    return np.stack(")


@pytest.fixture
def own(tmp_path):
    """Settings of a run with a simulator that fails now and then."""

    def build(text=FAILING, **data):
        (tmp_path / "mine.py").write_text(text)
        return resolve(
            {
                "application": "parameter_estimation",
                "problem": {"name": "simulator", "path": str(tmp_path / "mine.py")},
                "data": {"train": 900, "validation": 150, "test": 350, "block_rows": 200, **data},
                "training": {"batch_size": 64},
            }
        )

    return build


def digests(folder):
    return {path.name: sha256_of(path) for path in folder.iterdir()}


def in_shards(settings, folder, count):
    paths = [folder / f"{shard + 1}-of-{count}.npz" for shard in range(count)]
    for shard, path in enumerate(paths):
        simulate(settings, shard + 1, count, path)
    return paths


def test_blocks_cover_every_row_once_in_shards_of_any_number(own):
    settings = own()
    problem = load_problem(settings["problem"])
    blocks = plan(settings, problem)
    assert [block.rows for block in blocks] == [200, 200, 200, 200, 100, 150, 200, 150]
    for count in range(1, 9):
        assert sum((blocks_of_shard(blocks, shard + 1, count) for shard in range(count)), []) == blocks
    with pytest.raises(SettingsError, match="data.shards: expected at most 8, as there are 8 blocks"):
        blocks_of_shard(blocks, 1, 9)
    with pytest.raises(SettingsError, match=r"--shard: expected a number from 1 to 3 \(data.shards\); got 4"):
        blocks_of_shard(blocks, 4, 3)


@pytest.mark.parametrize("count", [1, 3, 8])
def test_data_are_the_same_whatever_the_shards(own, tmp_path, count):
    settings = own()
    prepare(settings, tmp_path / "here")
    paths = in_shards(settings, tmp_path, count)
    prepare({**settings, "data": {**settings["data"], "shards": count}}, tmp_path / "merged", shards=paths)
    assert digests(tmp_path / "merged") == digests(tmp_path / "here")
    failed = pd.read_csv(tmp_path / "here/failed.csv")
    manifest = json.loads((tmp_path / "here/manifest.json").read_text())
    assert (failed["rate (1/s)"] > 2.2).all() and len(failed) == sum(manifest["failed"].values()) > 5
    assert manifest["files"]["train_x.npy"]["shape"] == [900 - manifest["failed"]["train"], 2]
    x = np.load(tmp_path / "here/train_x.npy", allow_pickle=False)
    assert len(x) == 900 - manifest["failed"]["train"] and (x[:, 0] <= 2.2).all()
    # Rows of failed.csv count from 1 within their split.
    first = failed[failed["split"] == "train"].iloc[0]
    block, row = divmod(first["row"] - 1, 200)
    rng = generator(1, "simulate", "train", *([block] if block else []))
    assert load_problem(settings["problem"]).module.prior(200, rng)[row, 0] == first["rate (1/s)"]


def test_one_block_is_the_stream_it_has_always_been(tmp_path):
    """The published numbers rest on this: one draw for each split."""
    settings = resolve({"application": "parameter_estimation", "problem": {"name": "arm"}, "data": {"train": 5000}})
    prepare(settings, tmp_path / "data")
    whole = load_problem({"name": "arm"}).sample(5000, generator(1, "simulate", "train"))
    for part in ("x", "y"):
        np.testing.assert_array_equal(np.load(tmp_path / f"data/train_{part}.npy"), whole[part])
    split = {**settings, "data": {**settings["data"], "block_rows": 1500}}
    prepare(split, tmp_path / "blocks")
    prepare(split, tmp_path / "merged", shards=in_shards(split, tmp_path, 4))
    blocks = np.load(tmp_path / "blocks/train_x.npy")
    assert digests(tmp_path / "blocks") == digests(tmp_path / "merged") and blocks.shape == (5000, 4)
    assert np.array_equal(blocks[:1500], whole["x"][:1500]) and len(np.unique(blocks[:, 0])) == 5000


def test_a_killed_run_goes_on_shard_by_shard(own, tmp_path, capsys):
    settings = own()
    paths = in_shards(settings, tmp_path, 3)
    before = [path.read_bytes() for path in paths]
    paths[1].unlink()
    capsys.readouterr()
    in_shards(settings, tmp_path, 3)
    said = capsys.readouterr().err.splitlines()
    assert [line.split()[5].rstrip(":") for line in said] == ["kept", "written", "kept"]
    assert [path.read_bytes() for path in paths] == before
    in_shards({**settings, "seed": 2}, tmp_path, 3)
    assert "kept" not in capsys.readouterr().err and paths[0].read_bytes() != before[0]


@pytest.mark.parametrize("damage", ["one bit", "cut off", "empty", "manifest"])
def test_a_corrupted_shard_is_simulated_again(own, tmp_path, capsys, damage):
    settings = own()
    prepare(settings, tmp_path / "here")
    paths = in_shards(settings, tmp_path, 3)
    intact = paths[1].read_bytes()
    place = intact.index(b"train/3/x.npy") + 500 if damage == "one bit" else intact.rindex(b'"entries"') + 20
    changed = bytearray(intact)
    changed[place] ^= 4
    paths[1].write_bytes({"cut off": intact[:-400], "empty": b""}.get(damage, bytes(changed)))
    capsys.readouterr()
    prepare(settings, tmp_path / "merged", shards=paths)
    said = capsys.readouterr().err.splitlines()
    assert sum("recomputed" in line and f"flowpkg prepare: {paths[1]}: " in line for line in said) == 1
    assert digests(tmp_path / "merged") == digests(tmp_path / "here") and paths[1].read_bytes() == intact
    # The same at the shard's own command.
    paths[2].write_bytes(paths[2].read_bytes()[:-9])
    simulate(settings, 3, 3, paths[2])
    assert "flowpkg simulate:" in capsys.readouterr().err


def test_shards_of_other_settings_are_refused(own, tmp_path):
    settings = own()
    paths = in_shards(settings, tmp_path, 2)
    with pytest.raises(DataError, match="expected shard 1 of 2 of these settings; got shard 2 of 2 of these settings"):
        prepare(settings, tmp_path / "d", shards=paths[::-1])
    with pytest.raises(DataError, match="got shard 1 of 2 of other settings"):
        prepare({**settings, "seed": 5}, tmp_path / "d", shards=paths)
    with pytest.raises(DataError, match="nowhere.npz: expected a shard; got no such file"):
        prepare(settings, tmp_path / "d", shards=[paths[0], tmp_path / "nowhere.npz"])
    own(FAILING + "# edited\n")
    with pytest.raises(DataError, match="got shard 1 of 2 of other settings"):
        prepare(settings, tmp_path / "d", shards=paths)
    assert not (tmp_path / "d").exists()
    table = resolve({"application": "distribution_mapping", "problem": {"name": "table", "path": "sklearn:iris"}})
    with pytest.raises(SettingsError, match="expected none for the problem table"):
        prepare(table, tmp_path / "d", shards=paths)
    with pytest.raises(SettingsError, match="problem.name: expected a simulated problem; got table"):
        simulate(table, 1, 1, tmp_path / "t.npz")


def test_too_many_failures_stop_and_keep_earlier_data(own, tmp_path, capsys):
    settings = own()
    prepare(settings, tmp_path / "data")
    before = digests(tmp_path / "data")
    capsys.readouterr()
    settings["problem"]["max_failed_fraction"] = 0.002
    (tmp_path / "run.json").write_text(json.dumps(settings))
    assert main(["prepare", "--settings", str(tmp_path / "run.json"), "--out", str(tmp_path / "data")]) == 2
    text = capsys.readouterr().err
    assert "expected at most 0.002 of 1400 to fail (problem.max_failed_fraction); got " in text and "nan in y1" in text
    assert text.count("\n") == 1 and digests(tmp_path / "data") == before
    arguments = ["simulate", "--settings", str(tmp_path / "run.json"), "--shard", "1", "--shards", "2"]
    assert main([*arguments, "--out", str(tmp_path / "s.npz")]) == 2 and not (tmp_path / "s.npz").exists()


def test_constant_columns_and_lost_training_rows_are_refused(own, tmp_path):
    with pytest.raises(DataError, match="values of y that vary; got the constant 7 in column 3 of 3"):
        prepare(own(GOOD.replace("x[:, 0] ** 2]", "0 * x[:, 0] + 7]").replace("0.1 *", "0 *")), tmp_path / "d")
    settings = own(train=70)
    settings["problem"]["max_failed_fraction"] = 0.9
    (tmp_path / "mine.py").write_text(FAILING.replace("> 2.2", "> 0.5"))
    with pytest.raises(DataError, match=r"one batch of 64 rows \(training.batch_size\); got [345]. rows"):
        prepare(settings, tmp_path / "d")


def test_array_writer_writes_what_numpy_writes(tmp_path):
    rows = generator(1, "rows").normal(size=(1003, 3)).astype(np.float32)
    writer = ArrayWriter(tmp_path / "a.npy", rows)
    for start in range(0, 1003, 100):
        writer.append(rows[start : start + 100])
    described = writer.close()
    np.save(tmp_path / "b.npy", rows, allow_pickle=False)
    assert described == {"shape": [1003, 3], "sha256": sha256_of(tmp_path / "b.npy")}
    assert np.array_equal(np.load(tmp_path / "a.npy", mmap_mode="r", allow_pickle=False), rows)
    with pytest.raises(DataError, match="expected rows of"):
        ArrayWriter(tmp_path / "c.npy", rows).append(rows[:, :2])
