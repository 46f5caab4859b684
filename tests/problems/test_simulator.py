"""A user's own simulator: what it must define, what may fail, and how it is told."""

import numpy as np
import pytest

from flowpkg.errors import DataError, SettingsError
from flowpkg.problems.simulator import Simulator

GOOD = """
import numpy as np

names = ["rate", "level"]
units = ["1/s", ""]


def prior(n, rng):
    return rng.normal(size=(n, 2))


def simulate(x, rng):
    return np.stack([x[:, 0] + x[:, 1], x[:, 0] - x[:, 1], x[:, 0] ** 2], axis=1) + 0.1 * rng.normal(size=(len(x), 3))
"""


@pytest.fixture
def simulator(tmp_path):
    def build(text=GOOD, **settings):
        path = tmp_path / "mine.py"
        path.write_text(text)
        return Simulator(str(path), **settings)

    return build


def test_draws_repeat_and_carry_names(simulator):
    problem = simulator(padding=2)
    (first, failed), (again, _) = (problem.draw(50, np.random.default_rng(3)) for _ in range(2))
    assert {part: rows.shape for part, rows in first.items()} == {"x": (50, 2), "y": (50, 3), "e": (50, 2)}
    assert all(np.array_equal(first[part], again[part]) for part in first) and len(failed) == 0
    assert problem.names == ["rate (1/s)", "level"] and problem.y_names == ["y1", "y2", "y3"]
    np.testing.assert_allclose(first["y"][:, 2], first["x"][:, 0] ** 2, atol=0.6)


def test_the_file_runs_only_when_it_is_needed(simulator):
    problem = simulator("raise RuntimeError('not now')")
    assert len(problem.fingerprint[problem.path]) == 64 and not problem.noise_free
    with pytest.raises(DataError, match=r"mine.py:1: expected a file that runs; got RuntimeError: not now"):
        problem.draw(5, np.random.default_rng(0))


def test_rows_that_fail_are_left_out_and_named(simulator):
    text = GOOD.replace(
        "    return np.stack(",
        "    if (x[:, 0] > 1).any():\n        raise OverflowError('too fast')\n    x[x[:, 1] < -1] = np.nan\n    return np.stack(",
    )
    problem = simulator(text, padding=1)
    parts, failed = problem.draw(200, np.random.default_rng(1))
    x = Simulator(problem.path).module.prior(200, np.random.default_rng(1))
    bad = (x[:, 0] > 1) | (x[:, 1] < -1)
    assert failed.rows == np.flatnonzero(bad).tolist() and 10 < len(failed) < 100
    np.testing.assert_array_equal(parts["x"], x[~bad])
    np.testing.assert_array_equal(failed.inputs, x[bad])
    assert len(parts["y"]) == len(parts["e"]) == (~bad).sum() and np.isfinite(parts["y"]).all()
    line = text.splitlines().index("        raise OverflowError('too fast')") + 1
    assert set(failed.reasons) == {f"OverflowError: too fast at line {line}", "nan in y1"}


def test_log_prior_is_held_against_the_prior(simulator):
    normal = GOOD + "\ndef log_prior(x):\n    return -0.5 * (x**2).sum(axis=1)\n"
    assert simulator(normal).log_prior(np.ones((3, 2))).tolist() == [-1.0, -1.0, -1.0]
    assert simulator().log_prior(np.ones((3, 2))) is None
    wrong = GOOD + "\ndef log_prior(x):\n    return np.where(x[:, 0] > 0, 0.0, -np.inf)\n"
    with pytest.raises(DataError, match="log_prior: expected finite values at draws of prior; got -inf at"):
        simulator(wrong).draw(50, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def prior(n, rng)\n", r"mine.py:1: expected Python; got expected ':'"),
        ("import numpy\n\nimport no_such_package\n", r"mine.py:3: expected a file that runs; got ModuleNotFoundError"),
        ("x = 1\nraise SystemExit(3)\n", r"mine.py:2: expected a file that runs; got SystemExit: 3"),
        (GOOD.replace("def prior", "def previous"), r"mine.py: expected a function prior\(n, rng\); got none"),
        (GOOD.replace("simulate(x, rng)", "simulate(x)"), r"a function simulate\(x, rng\); got simulate\(x\)"),
        (GOOD.replace("size=(n, 2)", "size=n"), r"prior: expected an array \[7, P\]; got \[7\]"),
        (GOOD.replace("size=(n, 2)", "size=(3, 2)"), r"prior: expected an array \[7, P\]; got \[3, 2\]"),
        (GOOD.replace("rng.normal(size=(n, 2))", "[['a', 'b']] * n"), r"prior: expected an array of real numbers"),
        (GOOD.replace("rng.normal(size=(n, 2))", "rng.nrmal(n)"), r"mine.py:9: prior: .*got AttributeError"),
        (GOOD.replace("rng.normal(size=(n, 2))", "np.full((n, 2), np.nan)"), r"prior: expected finite .* in row 1"),
        (
            GOOD.replace("x[:, 0] ** 2", "x[:, 5]"),
            r"simulations that work; got 7 of 7 that failed \(IndexError.* line 13",
        ),
        (GOOD.replace("axis=1)", "axis=0)"), r"simulate: expected an array \[1, M\]; got \[3, 3\]"),
        (GOOD + "\n_real = simulate\ndef simulate(x, rng):\n    return _real(x, rng) + 0j\n", r"got dtype complex128"),
        (GOOD + "\ny_names = ['a']\n", r"y_names: expected 3 texts, one a column; got \['a'\]"),
        (GOOD.replace('"rate", "level"', '"a", "a"'), r"names: expected names that differ"),
    ],
)
def test_mistakes_name_the_file_and_the_line(simulator, text, message):
    problem = simulator(text)
    with pytest.raises(DataError, match=message) as caught:
        problem.draw(7, np.random.default_rng(0))
        assert problem.names and problem.y_names
    assert "\n" not in str(caught.value)


def test_missing_files_stop_before_anything_runs(tmp_path):
    with pytest.raises(SettingsError, match=r"problem.path: expected a file; got no such file: nowhere.py"):
        Simulator("nowhere.py")
    (tmp_path / "s.py").write_text(GOOD)
    with pytest.raises(SettingsError, match=r"problem.inputs: expected a file; got no such file: table.csv"):
        Simulator(str(tmp_path / "s.py"), inputs=["table.csv"])


def test_helpers_beside_the_file_are_found(tmp_path):
    (tmp_path / "own_helper_of_a_test.py").write_text("SCALE = 3.0\n")
    (tmp_path / "s.py").write_text("from own_helper_of_a_test import SCALE\n" + GOOD.replace("0.1 *", "SCALE *"))
    problem = Simulator(str(tmp_path / "s.py"), inputs=[str(tmp_path / "own_helper_of_a_test.py")])
    assert len(problem.fingerprint) == 2 and len(problem.draw(9, np.random.default_rng(0))[0]["y"]) == 9
