"""The applications: partition, evaluation and list of figures of each. No TensorFlow here."""

from __future__ import annotations

import importlib
from types import ModuleType

APPLICATIONS: dict[str, str] = {
    name: f"flowpkg.applications.{name}"
    for name in (
        "distribution_mapping",
        "image_generation",
        "image_classification",
        "mode_classification",
        "parameter_estimation",
        "inverse_noise_free",
        "inverse_noisy",
    )
}


def application_module(name: str) -> str:
    """Return the module name of an application."""
    return APPLICATIONS[name]


def load_application(name: str) -> ModuleType:
    """Import the module of an application."""
    return importlib.import_module(APPLICATIONS[name])
