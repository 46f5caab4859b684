"""`flowpkg fetch`: download an archive, check it, and unpack it."""

from __future__ import annotations

import http.client
import re
import shutil
import stat
import sys
import tarfile
import time
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from flowpkg import __version__
from flowpkg.errors import DataError, SettingsError
from flowpkg.files import atomic_directory, read_json, sha256_of, write_json

BLOCK = 2**20
TRIES = 4
MARK = ".fetched.json"
MOST_FILES = 2_000_000


def fetch(url: str, sha256: str, out: str | Path, *, max_gb: float = 50.0) -> None:
    """Download a ZIP or TAR archive and unpack it into a folder.

    A broken download is resumed, by this call and by the next. Nothing is unpacked before the checksum is right, and the
    folder appears as a whole. A folder that came from the same bytes is left as it is, without a look at the network.

    Args:
        url: `http://` or `https://` address.
        sha256: SHA-256 of the archive, 64 hexadecimal digits.
        out: the folder; replaced as a whole.
        max_gb: most gigabytes (1e9 bytes) of the archive, and of what it unpacks to.

    Raises:
        SettingsError: the address or the checksum is malformed.
        DataError: the server does not answer, the checksum differs, or the archive is damaged or unsafe: a member that
            would lie outside of the folder, a link, a device, more bytes than allowed.
    """
    if not re.match(r"https?://[^/]", url):
        raise SettingsError(f"--url: expected http:// or https://; got {url}")
    sha256 = sha256.lower()
    if not re.fullmatch(r"[0-9a-f]{64}", sha256):
        raise SettingsError(f"--sha256: expected 64 hexadecimal digits; got {sha256}")
    out, most = Path(out), int(max_gb * 1e9)
    if (out / MARK).is_file() and read_json(out / MARK).get("sha256") == sha256:
        print(f"fetch: {out} is there already", file=sys.stderr)
        return
    out.parent.mkdir(parents=True, exist_ok=True)
    archive = out.parent / f".{out.name}.{sha256[:16]}.download"
    _download(url, archive, most)
    found = sha256_of(archive)
    if found != sha256:
        archive.unlink()
        raise DataError(f"{url}: expected SHA-256 {sha256}; got {found}")
    with atomic_directory(out) as folder:
        files, size = unpack(archive, folder, most, name=url)
        write_json(folder / MARK, {"url": url, "sha256": sha256, "files": files, "bytes": size})
    archive.unlink()
    print(f"fetch: {files} files, {size / 1e6:.1f} MB in {out}", file=sys.stderr)


def _download(url: str, archive: Path, most: int) -> None:
    """Fetch `url` into `archive`, going on where an earlier try broke off."""
    for attempt in range(1, TRIES + 1):
        try:
            _transfer(url, archive, most)
            return
        except urllib.error.HTTPError as error:
            if error.code == 416:
                # What is there already is no beginning of what the server has.
                archive.unlink(missing_ok=True)
            elif error.code < 500 and error.code not in (408, 429):
                raise DataError(f"{url}: expected an archive; got HTTP {error.code} {error.reason}") from None
            problem = f"HTTP {error.code} {error.reason}"
        except (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError) as error:
            problem = str(getattr(error, "reason", "") or error) or type(error).__name__
        if attempt < TRIES:
            print(f"fetch: {problem}; trying again", file=sys.stderr)
            time.sleep(0.5 * 2**attempt)
    raise DataError(f"{url}: expected a server that answers; got, {TRIES} times: {problem}")


def _transfer(url: str, archive: Path, most: int) -> None:
    have = archive.stat().st_size if archive.exists() else 0
    headers = {"User-Agent": f"flowpkg/{__version__}", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=60) as answer:
        whole = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", answer.headers.get("Content-Range", ""))
        resumed = answer.status == 206 and whole is not None and int(whole[1]) == have
        have = have if resumed else 0
        length = answer.headers.get("Content-Length")
        total = have + int(length) if length else None
        if total is not None:
            _check_room(total, most, archive.parent, url)
        with open(archive, "ab" if resumed else "wb") as handle:
            while block := answer.read(BLOCK):
                have += len(block)
                if have > most:
                    raise DataError(f"{url}: expected at most {most / 1e9:g} GB (--max-gb); got more")
                handle.write(block)
    if total is not None and have < total:
        raise ConnectionError(f"{have} of {total} bytes")


def _check_room(size: int, most: int, folder: Path, name: str) -> None:
    if size > most:
        raise DataError(f"{name}: expected at most {most / 1e9:g} GB (--max-gb); got {size / 1e9:.3g} GB")
    free = shutil.disk_usage(folder).free
    if size > free:
        raise DataError(f"{folder}: expected {size / 1e9:.3g} GB of free space; got {free / 1e9:.3g} GB")


def unpack(archive: Path, folder: Path, most: int, *, name: str = "") -> tuple[int, int]:
    """Unpack a ZIP or TAR archive into a folder and return the number of files and bytes.

    Only plain files and folders below `folder` are written, with plain permissions. Bytes are counted as they are
    written, because an archive's own account of its sizes can lie.

    Raises:
        DataError: damaged, encrypted, unsafe, or more than `most` bytes.
    """
    name = name or str(archive)
    files = size = 0
    try:
        for path, stream in _members(archive, folder, most, name):
            target = _target(folder, path, name)
            files += 1
            if files > MOST_FILES:
                raise DataError(f"{name}: expected at most {MOST_FILES} files; got more")
            target.parent.mkdir(parents=True, exist_ok=True)
            with open(target, "xb") as handle:
                while block := stream.read(BLOCK):
                    size += len(block)
                    if size > most:
                        raise DataError(f"{name}: expected at most {most / 1e9:g} GB unpacked (--max-gb); got more")
                    handle.write(block)
    except DataError:
        raise
    except FileExistsError as error:
        raise DataError(
            f"{name}: expected each file once; got {Path(error.filename).relative_to(folder)} twice"
        ) from None
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise DataError(f"{name}: expected a complete archive; got: {' '.join(str(error).split())[:160]}") from None
    return files, size


def _members(archive: Path, folder: Path, most: int, name: str) -> Iterator[tuple[str, IO[bytes]]]:
    """Yield (path, stream) of each file of an archive."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as source:
            members = source.infolist()
            _check_room(sum(member.file_size for member in members), most, folder, name)
            for member in members:
                mode = member.external_attr >> 16
                if mode and stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
                    raise DataError(f"{name}: expected plain files; got a link or device: {member.filename}")
                if not member.is_dir():
                    with source.open(member) as stream:
                        yield member.filename, stream
    elif tarfile.is_tarfile(archive):
        with tarfile.open(archive) as source:
            for member in source:
                if member.isdir():
                    continue
                if not member.isfile():
                    raise DataError(f"{name}: expected plain files; got a link or device: {member.name}")
                yield member.name, source.extractfile(member)
    else:
        raise DataError(f"{name}: expected a ZIP or TAR archive; got another kind of file")


def _target(folder: Path, path: str, name: str) -> Path:
    """Return where a member goes, which is below `folder`."""
    parts = PurePosixPath(path.replace("\\", "/")).parts
    if not parts or parts[0] == "/" or ".." in parts or ":" in parts[0] or "\0" in path:
        raise DataError(f"{name}: expected members below the folder; got {path!r}")
    return folder.joinpath(*parts)
