"""Shard files: some blocks of a run's simulations, checked by SHA-256."""

from __future__ import annotations

import hashlib
import io
import json
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from flowpkg.errors import DataError
from flowpkg.files import atomic_path, sha256_of
from flowpkg.problems import problem_module
from flowpkg.simulation import (
    Block,
    Drawn,
    blocks_of_shard,
    decode_failures,
    encode_failures,
    key_of,
    limited,
    plan,
    simulate,
)

# One date for all entries, so that the same simulations give the same bytes.
_DATE = (1980, 1, 1, 0, 0, 0)


class Shard:
    """One of K shards of a run's simulations, in a file.

    The file is a ZIP archive without compression: `<split>/<block>/<part>.npy`, `<split>/<block>/failed.json` where
    simulations failed, and last `manifest.json` with the SHA-256 of each entry and of what the shard depends on.

    Args:
        settings: the run's complete settings.
        problem: the problem.
        shard: from 1 to `shards`.
        shards: K.
        path: the file.
    """

    def __init__(self, settings: dict[str, Any], problem: Any, shard: int, shards: int, path: str | Path) -> None:
        self.path, self.problem, self.seed = Path(path), problem, settings["seed"]
        everything = plan(settings, problem)
        self.blocks = blocks_of_shard(everything, shard, shards)
        self.total_rows = sum(block.rows for block in everything)
        self.identity = {"key": key_of(settings, problem, everything), "shard": shard, "shards": shards}
        # The code decides only whether a file may be kept when it is asked for again.
        self.code = sha256_of(sys.modules[problem_module(settings["problem"]["name"])].__file__)

    def write(self) -> None:
        """Simulate the blocks and write the file, one block in memory at a time."""
        digests: dict[str, str] = {}
        with atomic_path(self.path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:

            def put(name: str, content: bytes) -> None:
                digests[name] = hashlib.sha256(content).hexdigest()
                archive.writestr(zipfile.ZipInfo(name, date_time=_DATE), content)

            for one in limited(simulate(self.problem, self.blocks, self.seed), self.problem, self.total_rows):
                folder = f"{one.block.split}/{one.block.index}"
                for part, rows in sorted(one.parts.items()):
                    buffer = io.BytesIO()
                    np.lib.format.write_array(buffer, rows, allow_pickle=False)
                    put(f"{folder}/{part}.npy", buffer.getbuffer())
                if len(one.failures):
                    put(f"{folder}/failed.json", encode_failures(one.failures))
            manifest = {
                **self.identity,
                "code": self.code,
                "names": list(self.problem.names),
                "y_names": list(getattr(self.problem, "y_names", [])),
                "entries": digests,
            }
            archive.writestr(zipfile.ZipInfo("manifest.json", date_time=_DATE), json.dumps(manifest, sort_keys=True))

    def manifest(self) -> dict[str, Any]:
        """Return the manifest.

        Raises:
            DataError: no such file, or none that can be read.
        """
        try:
            with zipfile.ZipFile(self.path) as archive:
                return json.loads(archive.read("manifest.json"))
        except FileNotFoundError:
            raise DataError(f"{self.path}: expected a shard; got no such file") from None
        except (OSError, EOFError, zipfile.BadZipFile, KeyError, ValueError, NotImplementedError) as error:
            raise DataError(f"{self.path}: expected a complete shard; got {type(error).__name__}: {error}") from None

    def check(self) -> None:
        """Read every entry against its SHA-256.

        Raises:
            DataError: the file is missing or damaged; the message names the entry.
        """
        entries = self.manifest().get("entries", {})
        try:
            with zipfile.ZipFile(self.path) as archive:
                for name, expected in entries.items():
                    with archive.open(name) as handle:
                        found = hashlib.file_digest(handle, "sha256").hexdigest()
                    if found != expected:
                        raise DataError(
                            f"{self.path}: {name}: expected SHA-256 {expected[:12]}...; got {found[:12]}..."
                        )
        except (OSError, EOFError, zipfile.BadZipFile, KeyError, NotImplementedError) as error:
            raise DataError(f"{self.path}: expected a complete shard; got {type(error).__name__}: {error}") from None
        wanted = {f"{block.split}/{block.index}" for block in self.blocks}
        if {name.rsplit("/", 1)[0] for name in entries} != wanted:
            raise DataError(f"{self.path}: expected {len(wanted)} blocks; got other ones")

    def ensure(self) -> str:
        """Write the file unless the same code and settings wrote an intact one; return `kept`, `written` or `recomputed`."""
        try:
            manifest = self.manifest() if self.path.exists() else {}
            wanted = {**self.identity, "code": self.code}
            if {name: manifest.get(name) for name in wanted} == wanted:
                self.check()
                return "kept"
        except DataError as error:
            return self._recompute("simulate", error)
        self.write()
        return "written"

    def verify(self, command: str) -> None:
        """Check the file before it is read; one that is damaged is simulated again, and `command` says so.

        Raises:
            DataError: there is no file, or it holds another shard or simulations of other settings.
        """
        try:
            manifest = self.manifest()
            same = {name: manifest.get(name) for name in self.identity} == self.identity
            if same:
                self.check()
        except DataError as error:
            if not self.path.exists():
                raise
            self._recompute(command, error)
            return
        if not same:
            whose = "these" if manifest.get("key") == self.identity["key"] else "other"
            raise DataError(
                f"{self.path}: expected shard {self.identity['shard']} of {self.identity['shards']} of these settings; "
                f"got shard {manifest.get('shard')} of {manifest.get('shards')} of {whose} settings"
            )

    def _recompute(self, command: str, error: DataError) -> str:
        print(f"flowpkg {command}: {error}: recomputed", file=sys.stderr, flush=True)
        self.write()
        return "recomputed"

    def read(self) -> Iterator[Drawn]:
        """Yield the blocks, one in memory at a time."""
        with zipfile.ZipFile(self.path) as archive:
            names = set(archive.namelist())
            for block in self.blocks:
                yield self._read_block(archive, names, block)

    def _read_block(self, archive: zipfile.ZipFile, names: set[str], block: Block) -> Drawn:
        folder = f"{block.split}/{block.index}/"
        failed = decode_failures(archive.read(f"{folder}failed.json")) if f"{folder}failed.json" in names else None
        parts = {
            name.removeprefix(folder).removesuffix(".npy"): np.lib.format.read_array(
                io.BytesIO(archive.read(name)), allow_pickle=False
            )
            for name in sorted(names)
            if name.startswith(folder) and name.endswith(".npy")
        }
        return Drawn(block, parts, failed or decode_failures(b"[[], [], []]"))
