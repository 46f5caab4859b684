"""What this machine has, found without TensorFlow."""

from pathlib import Path


def local_gpus() -> int:
    """Return the number of NVIDIA GPUs whose device files are here."""
    return len(list(Path("/dev").glob("nvidia[0-9]*")))
