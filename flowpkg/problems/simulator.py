"""A user's own simulator: a Python file with a prior and a simulator."""

from __future__ import annotations

import inspect
import sys
import types
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from flowpkg.errors import DataError, SettingsError
from flowpkg.files import sha256_of

SIGNATURES = {"prior": ("n", "rng"), "simulate": ("x", "rng"), "log_prior": ("x",)}


@dataclass
class Failures:
    """Simulations of one block that failed: their rows in the block, inputs `[f, P]` and reasons."""

    rows: list[int] = field(default_factory=list)
    inputs: list[list[float]] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.rows)

    def add(self, row: int, inputs: np.ndarray, reason: str) -> None:
        """Note one failed simulation."""
        self.rows.append(int(row))
        self.inputs.append([float(value) for value in inputs])
        self.reasons.append(reason)

    def sort(self) -> None:
        """Put the failures in the order of their rows."""
        order = np.argsort(self.rows)
        for name in ("rows", "inputs", "reasons"):
            setattr(self, name, [getattr(self, name)[place] for place in order])


class Simulator:
    """Parameters x from a user's prior, data y from a user's simulator.

    The file defines

        prior(n, rng) -> [n, P]        draws of the parameters, finite numbers
        simulate(x, rng) -> [n, M]     data of the rows of x [n, P], with their noise if they have any

    and, if it likes, `names` and `units` of the P parameters, `y_names` of the M data, and `log_prior(x) -> [n]`.
    `rng` is a `numpy.random.Generator` and the only source of randomness that is repeatable. A simulation fails
    if it raises or returns NaN or infinity; where a whole batch raises, its rows are simulated one by one.

    Constructing the problem does not run the file; it runs when something is drawn, simulated or named.

    Args:
        path: the Python file.
        padding: columns of standard normal padding e beside x, for an invertible flow; see `config/README.md`.
        max_failed_fraction: largest share of simulations that may fail.
        inputs: other files that the Python file reads.

    Raises:
        SettingsError: a file does not exist.
    """

    demonstration = None
    # What a simulator returns may hold noise: distances of re-simulated data are no error of the posterior.
    noise_free = False
    # Small, because a simulation may take seconds, and a block is what shards share out.
    block_rows = 1000

    def __init__(self, path: str, padding: int = 0, max_failed_fraction: float = 0.05, inputs=()) -> None:
        for key, name in (("path", path), *(("inputs", name) for name in inputs)):
            if not Path(name).is_file():
                raise SettingsError(f"problem.{key}: expected a file; got no such file: {name}")
        self.path, self.padding, self.inputs = str(path), int(padding), tuple(inputs)
        self.max_failed_fraction = float(max_failed_fraction)
        self._width = 0

    @property
    def fingerprint(self) -> dict[str, str]:
        """SHA-256 of the Python file and of the files it reads."""
        return {name: sha256_of(name) for name in (self.path, *self.inputs)}

    @cached_property
    def module(self) -> types.ModuleType:
        """The file, run.

        Raises:
            DataError: it does not run, or lacks a function; the message names the line.
        """
        module = types.ModuleType(f"user_simulator_{Path(self.path).stem}")
        module.__file__ = str(Path(self.path).resolve())
        # Registered, as dataclasses and the like look their module up; its folder is where its helpers are.
        sys.modules[module.__name__] = module
        folder = str(Path(module.__file__).parent)
        if folder not in sys.path:
            sys.path.append(folder)
        try:
            code = compile(Path(self.path).read_text(encoding="utf-8"), module.__file__, "exec")
            exec(code, module.__dict__)
        except SyntaxError as error:
            raise DataError(f"{self.path}:{error.lineno}: expected Python; got {error.msg}") from None
        except (Exception, SystemExit) as error:
            raise DataError(f"{self.path}{self._line(error)}: expected a file that runs; got {_said(error)}") from None
        for name in ("prior", "simulate", *(["log_prior"] if hasattr(module, "log_prior") else [])):
            self._check_function(getattr(module, name, None), name)
        return module

    def _check_function(self, function: Callable | None, name: str) -> None:
        wanted = f"{name}({', '.join(SIGNATURES[name])})"
        if not callable(function):
            raise DataError(f"{self.path}: expected a function {wanted}; got none")
        try:
            signature = inspect.signature(function)
        except (TypeError, ValueError):
            return
        try:
            signature.bind(*SIGNATURES[name])
        except TypeError:
            raise DataError(f"{self.path}: expected a function {wanted}; got {name}{signature}") from None

    def _line(self, error: BaseException) -> str:
        lines = []
        trace = error.__traceback__
        while trace is not None:
            if Path(trace.tb_frame.f_code.co_filename) == Path(self.path).resolve():
                lines.append(trace.tb_lineno)
            trace = trace.tb_next
        return f":{lines[-1]}" if lines else ""

    def _labels(self, key: str, count: int, default: str) -> list[str]:
        labels = getattr(self.module, key, None)
        if labels is None:
            return [default.format(index + 1) for index in range(count)]
        if isinstance(labels, str) or not all(isinstance(label, str) for label in labels) or len(labels) != count:
            raise DataError(f"{self.path}: {key}: expected {count} texts, one a column; got {labels!r}")
        if default and len(set(labels)) != count:
            raise DataError(f"{self.path}: {key}: expected names that differ; got {labels!r}")
        return list(labels)

    @cached_property
    def dim(self) -> int:
        """Number P of parameters."""
        return self._prior(2, np.random.default_rng(0)).shape[1]

    @property
    def names(self) -> list[str]:
        """Names of the parameters, with their units in brackets."""
        names, units = self._labels("names", self.dim, "x{}"), self._labels("units", self.dim, "")
        return [f"{name} ({unit})" if unit else name for name, unit in zip(names, units, strict=True)]

    @property
    def y_names(self) -> list[str]:
        """Names of the data; known once something was simulated."""
        return self._labels("y_names", self._width, "y{}") if self._width else []

    def _prior(self, n: int, rng: np.random.Generator) -> np.ndarray:
        try:
            drawn = self.module.prior(n, rng)
        except Exception as error:
            raise DataError(
                f"{self.path}{self._line(error)}: prior: expected [{n}, P] draws; got {_said(error)}"
            ) from None
        x = self._matrix(drawn, "prior", n, "P")
        bad = np.flatnonzero(~np.isfinite(x).all(axis=1))
        if bad.size:
            raise DataError(
                f"{self.path}: prior: expected finite numbers; got {x[bad[0]].tolist()} in row {bad[0] + 1}"
            )
        return x

    def _matrix(self, value, function: str, n: int, width: str) -> np.ndarray:
        try:
            array = np.asarray(value)
        except (TypeError, ValueError) as error:
            raise DataError(f"{self.path}: {function}: expected an array [{n}, {width}]; got {_said(error)}") from None
        if array.dtype.kind not in "fiu":
            raise DataError(f"{self.path}: {function}: expected an array of real numbers; got dtype {array.dtype}")
        if array.ndim != 2 or len(array) != n or not array.shape[1]:
            raise DataError(f"{self.path}: {function}: expected an array [{n}, {width}]; got {list(array.shape)}")
        return array.astype(np.float64)

    def _data(self, value, n: int) -> np.ndarray:
        y = self._matrix(value, "simulate", n, str(self._width or "M"))
        if self._width and y.shape[1] != self._width:
            raise DataError(f"{self.path}: simulate: expected {self._width} data a row, as before; got {y.shape[1]}")
        self._width = y.shape[1]
        return y

    def simulate(self, x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return data `[n, M]` of parameters `[n, P]`; NaN where a simulation failed."""
        return self._simulate(np.asarray(x, np.float64), rng)[0]

    def _simulate(self, x: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, Failures]:
        failures = Failures()
        batch, single = rng.spawn(2)
        try:
            value = self.module.simulate(x.copy(), batch)
        except Exception:
            y = self._one_by_one(x, single, failures)
        else:
            y = self._data(value, len(x))
        for row in np.flatnonzero(~np.isfinite(y).all(axis=1)):
            if int(row) not in failures.rows:
                column = int(np.flatnonzero(~np.isfinite(y[row]))[0])
                failures.add(row, x[row], f"{y[row, column]} in {(self.y_names or ['y'])[column]}")
        failures.sort()
        return y, failures

    def _one_by_one(self, x: np.ndarray, rng: np.random.Generator, failures: Failures) -> np.ndarray:
        rows: list[np.ndarray | None] = []
        for row, own in enumerate(rng.spawn(len(x))):
            try:
                value = self.module.simulate(x[row : row + 1].copy(), own)
            except Exception as error:
                place = self._line(error).replace(":", " at line ")
                failures.add(row, x[row], f"{_said(error)}{place}")
                rows.append(None)
            else:
                rows.append(self._data(value, 1)[0])
        empty = np.full(self._width or 1, np.nan)
        return np.stack([empty if row is None else row for row in rows])

    def draw(self, n: int, rng: np.random.Generator) -> tuple[dict[str, np.ndarray], Failures]:
        """Draw n parameters and simulate them; return the parts of those that worked, and the failures.

        Raises:
            DataError: the prior or the simulator returns what is no array of the right shape, or every row fails.
        """
        x = self._prior(n, rng)
        self._check_log_prior(x[:100])
        y, failures = self._simulate(x, rng)
        if len(failures) == n:
            raise DataError(
                f"{self.path}: simulate: expected simulations that work; got {n} of {n} that failed "
                f"({failures.reasons[0]})"
            )
        kept = np.ones(n, bool)
        kept[failures.rows] = False
        parts = {"x": x[kept], "y": y[kept]}
        if self.padding:
            parts["e"] = rng.standard_normal((n, self.padding))[kept]
        return parts, failures

    def log_prior(self, x: np.ndarray) -> np.ndarray | None:
        """Return the log-density of the prior at `[n, P]` parameters, `[n]`; None if the file does not define it."""
        if not hasattr(self.module, "log_prior"):
            return None
        try:
            value = np.asarray(self.module.log_prior(x.copy()), np.float64)
        except Exception as error:
            raise DataError(f"{self.path}{self._line(error)}: log_prior: expected [n]; got {_said(error)}") from None
        if value.shape != (len(x),):
            raise DataError(f"{self.path}: log_prior: expected an array [{len(x)}]; got {list(value.shape)}")
        return value

    def _check_log_prior(self, x: np.ndarray) -> None:
        value = self.log_prior(x)
        bad = np.flatnonzero(~np.isfinite(value)) if value is not None else []
        if len(bad):
            raise DataError(
                f"{self.path}: log_prior: expected finite values at draws of prior; got {value[bad[0]]} at "
                f"{x[bad[0]].tolist()}"
            )


def _said(error: BaseException) -> str:
    text = " ".join(str(error).split())[:160]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
