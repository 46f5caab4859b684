"""`flowpkg simulate`: one shard of a run's simulations."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

from flowpkg.errors import SettingsError
from flowpkg.problems import load_problem
from flowpkg.shards import Shard
from flowpkg.simulation import is_simulated


def simulate(settings: dict[str, Any], shard: int, shards: int, out: str | Path) -> None:
    """Write shard `shard` of `shards`; the simulations are the same whatever their number.

    A file that is there, intact and of the same settings is kept, so that what was killed goes on.

    Args:
        settings: the run's complete settings.
        shard: from 1 to `shards`.
        shards: number of shards.
        out: the file, for `flowpkg prepare --shards`.

    Raises:
        SettingsError: the problem is not simulated, or there are fewer blocks of rows than shards.
        DataError: a user's simulator cannot be used, or fails too often.
    """
    problem = load_problem(settings["problem"])
    if not is_simulated(problem):
        raise SettingsError(f"problem.name: expected a simulated problem; got {settings['problem']['name']}")
    one = Shard(settings, problem, shard, shards, out)
    start = time.perf_counter()
    result = one.ensure()
    rows = sum(block.rows for block in one.blocks)
    print(
        f"simulate: shard {shard} of {shards} {result}: {rows} simulations in {len(one.blocks)} blocks, "
        f"{time.perf_counter() - start:.2f} s",
        file=sys.stderr,
    )
