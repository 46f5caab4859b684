"""Write environment.yml with the versions that requirements.lock pins."""

import re
from pathlib import Path


def pins(lock: str) -> list[str]:
    """Return the `name==version` lines of a lock file, with their environment markers."""
    return [match.strip() for match in re.findall(r"^([a-z0-9][^\s\\]*==[^\\\n]*)", lock, flags=re.MULTILINE)]


def environment(lock: str) -> str:
    """Return the text of environment.yml for a lock file."""
    lines = [
        "name: flow_models",
        "channels:",
        "  - conda-forge",
        "dependencies:",
        "  - python=3.11",
        "  - pip",
        "  - pip:",
    ]
    return "\n".join([*lines, *(f'      - "{pin}"' for pin in pins(lock))]) + "\n"


if __name__ == "__main__":
    root = Path(__file__).resolve().parents[2]
    (root / "environment.yml").write_text(environment((root / "requirements.lock").read_text()))
