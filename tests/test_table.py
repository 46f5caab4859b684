"""Tables: what is read, what is refused, and how."""

import numpy as np
import pandas as pd
import pytest

from flowpkg.errors import DataError
from flowpkg.problems.table import Table
from flowpkg.tables import read_table, write_table


@pytest.fixture
def frame():
    x = np.random.default_rng(0).standard_normal((60, 2))
    return pd.DataFrame({"a": x[:, 0], "b": x[:, 1], "kind": ["ok"] * 50 + ["bad"] * 10})


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_anomalies_stay_out_of_training_and_splits_are_disjoint(frame, tmp_path, suffix):
    path = tmp_path / f"t{suffix}"
    write_table(path, frame)
    table = Table(str(path), label="kind", anomalies=["bad"])
    splits = table.splits(1, 0.2, 0.3)
    assert table.names == ["a", "b"]
    assert {name: len(rows) for name, rows in splits.items()} == {
        "test": 15,
        "validation": 10,
        "train": 25,
        "anomaly": 10,
    }
    np.testing.assert_array_equal(splits["anomaly"], frame[["a", "b"]].to_numpy()[50:])
    together = np.concatenate([splits[name] for name in ("train", "validation", "test")])
    assert len(np.unique(together, axis=0)) == 50
    again = Table(str(path), label="kind", anomalies=["bad"]).splits(1, 0.2, 0.3)
    np.testing.assert_array_equal(again["train"], splits["train"])


def test_breast_cancer_has_its_published_counts():
    table = Table("sklearn:breast_cancer", label="target", anomalies=["malignant"])
    assert (table.dim, len(table.normal), len(table.anomaly)) == (30, 357, 212)


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (lambda f: f.assign(c=f["kind"]), {"columns": ["a", "c"]}, r"t.csv: column c: expected numbers; got .*row 1: 'ok'"),
        (lambda f: f.assign(a=1.5), {}, "t.csv: column a: expected values that vary; got the constant 1.5"),
        (lambda f: f.assign(a=f["a"].where(f.index != 6)), {"columns": ["a", "b"]}, "NaN or infinity in 1 of 60 rows: 7 .*invalid_rows: drop"),
        (lambda f: f.replace({"a": {f["a"][2]: np.inf}}), {}, "NaN or infinity in 1 of 60 rows: 3 "),
        (lambda f: f, {"columns": ["a", "z"]}, "t.csv: expected the column z; got a, b, kind"),
        (lambda f: f, {"label": "sort"}, "problem.label: expected a column of the table; got sort"),
        (lambda f: f, {"label": "kind", "anomalies": ["odd"]}, "expected a value of column kind; got 'odd'"),
        (lambda f: f, {"anomalies": ["odd"]}, "expected problem.label to name their column"),
        (lambda f: f[["a"]], {}, "expected at least two numeric columns; got 1"),
        (lambda f: f[:5], {}, "expected at least 10 normal rows; got 5"),
        (lambda f: f[:0], {}, "expected at least one row; got none"),
    ],
)  # fmt: skip
def test_unusable_tables_are_named_in_one_line(frame, tmp_path, change, options, message):
    path = tmp_path / "t.csv"
    change(frame).to_csv(path, index=False)
    with pytest.raises(DataError, match=message) as caught:
        Table(str(path), **options)
    assert "\n" not in str(caught.value)


def test_invalid_rows_are_dropped_only_if_asked(frame, tmp_path):
    frame.assign(a=frame["a"].where(frame.index != 6)).to_csv(tmp_path / "t.csv", index=False)
    table = Table(str(tmp_path / "t.csv"), columns=["a", "b"], invalid_rows="drop")
    assert table.dropped_rows == 1 and len(table.normal) == 59


def test_missing_broken_and_unknown_files(tmp_path):
    with pytest.raises(DataError, match="none.csv: expected a table; got no such file"):
        read_table(tmp_path / "none.csv")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(DataError, match="broken.parquet: expected a readable table"):
        read_table(tmp_path / "broken.parquet")
    with pytest.raises(DataError, match="expected a file name ending in .csv"):
        read_table(tmp_path / "t.xls")


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".npz"])
def test_tables_come_back(tmp_path, suffix):
    frame = pd.DataFrame({"a": [1.0, 0.1 + 0.2], "b": [3.0, -4.0]})
    write_table(tmp_path / f"t{suffix}", frame)
    pd.testing.assert_frame_equal(read_table(tmp_path / f"t{suffix}")[["a", "b"]], frame)
