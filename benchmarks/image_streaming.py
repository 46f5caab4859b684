"""Memory and speed of preparing and training on folders of images, few against many.

    python benchmarks/image_streaming.py [--counts 2000 20000] [--folder /tmp/image_streaming] [--steps 30]

Writes folders of JPEG files of 128 x 128 pixels, and for each, in processes of their own: `flowpkg prepare` at 32 x 32, and
`flowpkg train` of the multi-scale flow (3 levels x 4 steps x 64 filters, batch 64). Prints peak resident memory and images a
second; memory that grows with the number of images would show in the last line.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

SIZE = 32


def write_folder(folder: Path, count: int, distinct: int = 200) -> None:
    """Write `count` JPEG files of cats and dogs; drawn ones recur with another brightness, so that no two are alike."""
    import numpy as np
    from PIL import Image

    from flowpkg.problems.images.faces import draw_faces

    pictures = {kind: draw_faces(kind, 128, 1, "streaming", range(distinct // 2))[0] for kind in ("cat", "dog")}
    for kind in pictures:
        (folder / kind).mkdir(parents=True)
    for k in range(count):
        kind = ("cat", "dog")[k % 2]
        turn, which = divmod(k // 2, distinct // 2)
        levels = np.clip(pictures[kind][which] * (1.0 - 0.002 * turn), 0, 255).astype(np.uint8)
        handle = io.BytesIO()
        Image.fromarray(levels).save(handle, "JPEG", quality=90)
        (folder / kind / f"{k:06d}.jpg").write_bytes(handle.getvalue())


def run(command: list[str]) -> tuple[float, float]:
    """Run one `flowpkg` command; return its seconds and peak resident memory in MB."""
    start = time.perf_counter()
    # Between this process and the measured one stands a small one: a child's peak counts what it was forked from.
    done = subprocess.run([sys.executable, __file__, "--one", *command], capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    return time.perf_counter() - start, float(done.stdout.split()[-1])


def run_one(command: list[str]) -> int:
    """Run one command as the only child of this process and print its peak resident memory in MB."""
    code = subprocess.call([sys.executable, "-m", "flowpkg", *command])
    print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024.0)
    return code


def measure(folder: Path, count: int, steps: int) -> dict[str, float]:
    """Return speeds and memory of one folder of images."""
    images = folder / f"images_{count}"
    shutil.rmtree(images, ignore_errors=True)
    write_folder(images, count)
    # The folder is on disk, not merely in memory: what follows reads it as a user's program would.
    os.sync()
    settings = {
        "application": "image_generation",
        "problem": {"name": "folder", "path": str(images), "size": SIZE},
        "data": {"augment": {"flip": 0.5, "shift": 0.05}},
        "flow": {"name": "glow", "levels": 3, "steps_per_level": 4, "filters": 64},
        "training": {
            "steps": steps,
            "batch_size": 64,
            "validate_every": steps,
            "steps_per_call": 10,
            "warmup_steps": 5,
        },
    }
    text, data, model = json.dumps(settings), folder / f"data_{count}", folder / f"model_{count}"
    seconds, prepare_mb = run(["prepare", "--settings", text, "--out", str(data)])
    _, train_mb = run(["train", "--settings", text, "--data", str(data), "--out", str(model), "--threads", "2"])
    result = json.loads((model / "training.json").read_text())["result"]
    shutil.rmtree(images)
    return {
        "decoded_per_second": count / seconds,
        "trained_per_second": 64.0 * result["steps_per_second"],
        "prepare_mb": prepare_mb,
        "train_mb": train_mb,
    }


def main() -> None:
    """Print a table of the counts asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--counts", type=int, nargs="+", default=[2000, 20000])
    parser.add_argument("--folder", type=Path, default=Path("/tmp/image_streaming"))
    parser.add_argument("--steps", type=int, default=30)
    options = parser.parse_args()
    rows = {count: measure(options.folder, count, options.steps) for count in options.counts}
    print(f"{'images':>8} {'decoded/s':>10} {'trained/s':>10} {'prepare MB':>11} {'train MB':>9}")
    for count, row in rows.items():
        print(
            f"{count:8d} {row['decoded_per_second']:10.0f} {row['trained_per_second']:10.0f} "
            f"{row['prepare_mb']:11.0f} {row['train_mb']:9.0f}"
        )
    first, last = rows[options.counts[0]], rows[options.counts[-1]]
    growth = {key: 100.0 * (last[key] / first[key] - 1.0) for key in ("prepare_mb", "train_mb")}
    print(f"memory: prepare {growth['prepare_mb']:+.1f} %, train {growth['train_mb']:+.1f} %")
    shutil.rmtree(options.folder, ignore_errors=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        sys.exit(run_one(sys.argv[2:]))
    main()
