"""Where a result comes from: settings, versions, commit."""

from __future__ import annotations

import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

from flowpkg import __version__
from flowpkg.files import sha256_of_json

PACKAGES = ("tensorflow", "tensorflow-probability", "keras", "numpy", "scipy", "scikit-learn", "pandas", "matplotlib")


def provenance(settings: dict[str, Any]) -> dict[str, Any]:
    """Return the settings with their hash, package versions, Python version and the git commit, if any."""
    return {
        "settings": settings,
        "settings_sha256": sha256_of_json(settings),
        "flowpkg": __version__,
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
        "git_commit": _commit(),
    }


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _commit() -> str | None:
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40"]
    try:
        found = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return found.stdout.strip() or None
