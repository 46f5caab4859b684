"""Where data and truth come from: densities in the plane, simulators, tables and images."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from flowpkg.errors import SettingsError

PROBLEMS: dict[str, str] = {
    "moons": "flowpkg.problems.moons:Moons",
    "gmm": "flowpkg.problems.gmm:Gmm",
    "normal": "flowpkg.problems.normal:Normal",
    "banana": "flowpkg.problems.banana:Banana",
    "checkerboard": "flowpkg.problems.checkerboard:Checkerboard",
    "two_spirals": "flowpkg.problems.two_spirals:TwoSpirals",
    "pinwheel": "flowpkg.problems.pinwheel:Pinwheel",
    "modes": "flowpkg.problems.modes:Modes",
    "arm": "flowpkg.problems.arm:Arm",
    "linear_gaussian": "flowpkg.problems.linear_gaussian:LinearGaussian",
    "glacier": "flowpkg.problems.glacier:Glacier",
    "seismograms": "flowpkg.problems.seismograms:Seismograms",
    "seismograms_any_noise": "flowpkg.problems.seismograms_any_noise:SeismogramsAnyNoise",
    "simulator": "flowpkg.problems.simulator:Simulator",
    "table": "flowpkg.problems.table:Table",
    "faces": "flowpkg.problems.images.faces:Faces",
    "digits": "flowpkg.problems.images.digits:Digits",
    "folder": "flowpkg.problems.images.folder:Folder",
}


def problem_module(name: str) -> str:
    """Return the module that defines a problem.

    Raises:
        SettingsError: no problem of that name.
    """
    if name not in PROBLEMS:
        raise SettingsError(f"problem.name: expected one of {', '.join(PROBLEMS)}; got {name}")
    return PROBLEMS[name].split(":")[0]


def load_problem(settings: Mapping[str, Any]) -> Any:
    """Construct the problem that `settings["name"]` names from the other settings; imports only its module."""
    module = importlib.import_module(problem_module(settings["name"]))
    constructor = getattr(module, PROBLEMS[settings["name"]].split(":")[1])
    return constructor(**{key: value for key, value in settings.items() if key != "name"})
