"""Files are whole or absent, never half; nothing pickled is read."""

import numpy as np
import pytest

from flowpkg.errors import DataError
from flowpkg.files import atomic_directory, atomic_path, read_array, read_arrays, read_json, write_arrays, write_json


def test_a_failed_write_keeps_the_earlier_file(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"a": 1})
    with pytest.raises(RuntimeError), atomic_path(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert read_json(path) == {"a": 1} and [p.name for p in tmp_path.iterdir()] == ["a.json"]
    with pytest.raises(ValueError):
        write_json(path, {"a": float("nan")})
    assert read_json(path) == {"a": 1}


def test_a_failed_folder_keeps_the_earlier_one(tmp_path):
    with atomic_directory(tmp_path / "d") as folder:
        (folder / "one").write_text("1")
    with pytest.raises(RuntimeError), atomic_directory(tmp_path / "d") as folder:
        (folder / "two").write_text("2")
        raise RuntimeError
    assert [p.name for p in (tmp_path / "d").iterdir()] == ["one"] and len(list(tmp_path.iterdir())) == 1


def test_arrays_repeat_to_the_byte_and_come_back(tmp_path):
    arrays = {"b/x": np.arange(6.0).reshape(2, 3), "a": np.array(["u", "v"])}
    for name in ("one.npz", "two.npz"):
        write_arrays(tmp_path / name, arrays)
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()
    np.testing.assert_array_equal(read_arrays(tmp_path / "one.npz")["b/x"], arrays["b/x"])


def test_pickles_and_damage_are_refused(tmp_path):
    np.savez(tmp_path / "p.npz", a=np.array([{}], dtype=object))
    np.save(tmp_path / "p.npy", np.array([{}], dtype=object))
    write_arrays(tmp_path / "t.npz", {"a": np.ones(1000)})
    (tmp_path / "t.npz").write_bytes((tmp_path / "t.npz").read_bytes()[:500])
    for name in ("p.npz", "t.npz", "none.npz"):
        with pytest.raises(DataError, match=name):
            read_arrays(tmp_path / name)
    with pytest.raises(DataError, match="p.npy"):
        read_array(tmp_path / "p.npy")
