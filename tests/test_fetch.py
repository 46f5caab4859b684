"""Fetching archives from a server on loopback: resumed, checked, and never outside of the folder."""

import hashlib
import io
import json
import os
import stat
import subprocess
import sys
import tarfile
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import yaml

from flowpkg.cli import main
from flowpkg.commands import fetch as module
from flowpkg.commands.fetch import fetch, unpack
from flowpkg.errors import DataError, SettingsError

ROOT = Path(__file__).resolve().parents[1]
NOISE = np.random.default_rng(0).bytes(300_000)


def zipped(**files):
    handle = io.BytesIO()
    with zipfile.ZipFile(handle, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name.replace("__", "/"), data)
    return handle.getvalue()


@pytest.fixture
def server(monkeypatch):
    """A server of bytes by path; `breaks` is how many of the next answers stop half way."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            box.requests.append(self.headers.get("Range"))
            data = box.files.get(self.path)
            if data is None:
                self.send_error(404)
                return
            start = int((self.headers.get("Range") or "bytes=0-")[6:-1]) if box.ranges else 0
            if start > len(data):
                self.send_error(416)
                return
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
            self.send_header("Content-Length", str(len(data) - start))
            self.end_headers()
            box.breaks -= 1
            self.wfile.write(data[start:] if box.breaks < 0 else data[start : start + (len(data) - start) // 2])

        def log_message(self, *arguments):
            pass

    class Box:
        files, requests, breaks, ranges = {}, [], 0, True

    box = Box()
    box.files, box.requests = {}, []
    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    box.url = f"http://127.0.0.1:{http.server_port}"
    threading.Thread(target=http.serve_forever, daemon=True).start()
    monkeypatch.setattr(module.time, "sleep", lambda seconds: None)
    yield box
    http.shutdown()
    http.server_close()


def digest(data):
    return hashlib.sha256(data).hexdigest()


def test_an_archive_is_fetched_once(server, tmp_path, capsys):
    data = server.files["/a.zip"] = zipped(train__cat__a="one", train__cat__b=NOISE)
    arguments = ["fetch", "--url", f"{server.url}/a.zip", "--sha256", digest(data), "--out", str(tmp_path / "out")]
    assert main(arguments) == 0
    assert (tmp_path / "out/train/cat/a").read_text() == "one" and (tmp_path / "out/train/cat/b").read_bytes() == NOISE
    assert json.loads((tmp_path / "out/.fetched.json").read_text())["files"] == 2
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert main(arguments) == 0 and len(server.requests) == 1
    assert "is there already" in capsys.readouterr().err


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_tar_archives(server, tmp_path, mode):
    handle = io.BytesIO()
    with tarfile.open(fileobj=handle, mode=mode) as archive:
        member = tarfile.TarInfo("images/cat/a.png")
        member.size, member.mode = len(NOISE), 0o4777
        archive.addfile(member, io.BytesIO(NOISE))
    server.files["/a"] = handle.getvalue()
    fetch(f"{server.url}/a", digest(handle.getvalue()), tmp_path / "out")
    path = tmp_path / "out/images/cat/a.png"
    assert path.read_bytes() == NOISE and not path.stat().st_mode & (stat.S_ISUID | stat.S_IXUSR)


@pytest.mark.parametrize("ranges", [True, False])
def test_a_broken_download_goes_on_where_it_stopped(server, tmp_path, ranges):
    data = server.files["/a.zip"] = zipped(a=NOISE)
    server.breaks, server.ranges = 2, ranges
    fetch(f"{server.url}/a.zip", digest(data), tmp_path / "out")
    assert (tmp_path / "out/a").read_bytes() == NOISE
    half = len(data) // 2
    assert server.requests[:2] == [None, f"bytes={half}-"] and len(server.requests) == 3


def test_a_later_call_resumes_and_a_wrong_beginning_is_dropped(server, tmp_path):
    data = server.files["/a.zip"] = zipped(a=NOISE)
    server.breaks = 4
    with pytest.raises(DataError, match="expected a server that answers; got, 4 times: .* of .* bytes"):
        fetch(f"{server.url}/a.zip", digest(data), tmp_path / "out")
    assert not (tmp_path / "out").exists()
    fetch(f"{server.url}/a.zip", digest(data), tmp_path / "out")
    assert server.requests[-1] is not None
    (tmp_path / f".new.{digest(data)[:16]}.download").write_bytes(b"x" * (len(data) + 9))
    fetch(f"{server.url}/a.zip", digest(data), tmp_path / "new")
    assert (tmp_path / "new/a").read_bytes() == NOISE


def test_a_wrong_checksum_unpacks_nothing_and_keeps_what_was_there(server, tmp_path):
    data = server.files["/a.zip"] = zipped(a="good")
    fetch(f"{server.url}/a.zip", digest(data), tmp_path / "out")
    server.files["/a.zip"] = zipped(a="evil")
    with pytest.raises(DataError, match=f"expected SHA-256 {'0' * 64}; got {digest(server.files['/a.zip'])}"):
        fetch(f"{server.url}/a.zip", "0" * 64, tmp_path / "out")
    assert (tmp_path / "out/a").read_text() == "good" and [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("path", ["../a", "/etc/a", "x/../../a", "..\\a", "C:\\a", "C:/a"])
def test_members_outside_of_the_folder_are_refused(tmp_path, path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(path, "evil")
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        member = tarfile.TarInfo(path)
        member.size = 4
        archive.addfile(member, io.BytesIO(b"evil"))
    (tmp_path / "deep/out").mkdir(parents=True)
    for name in ("a.zip", "a.tar"):
        with pytest.raises(DataError, match="expected members below the folder"):
            unpack(tmp_path / name, tmp_path / "deep/out", 10**6)
    assert sorted(found.name for found in tmp_path.rglob("*")) == ["a.tar", "a.zip", "deep", "out"]


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_are_refused(tmp_path, kind):
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        member = tarfile.TarInfo("a")
        member.type, member.linkname = kind, "/etc/passwd"
        archive.addfile(member)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        entry = zipfile.ZipInfo("a")
        entry.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(entry, "/etc/passwd")
    (tmp_path / "out").mkdir()
    for name in ("a.zip", "a.tar"):
        with pytest.raises(DataError, match="expected plain files; got a link or device: a"):
            unpack(tmp_path / name, tmp_path / "out", 10**6)
    assert not list((tmp_path / "out").iterdir())


def test_bombs_are_refused(server, tmp_path):
    bomb = server.files["/bomb.zip"] = zipped(a=b"\0" * 5_000_000)
    assert len(bomb) < 10_000
    with pytest.raises(DataError, match=r"expected at most 0.001 GB \(--max-gb\); got 0.005 GB"):
        fetch(f"{server.url}/bomb.zip", digest(bomb), tmp_path / "out", max_gb=0.001)
    # The same archive with a size of 5 bytes in its directory: the reader stops at its word, or the count stops it.
    lying = bomb.replace((5_000_000).to_bytes(4, "little"), (5).to_bytes(4, "little"))
    (tmp_path / "lying.zip").write_bytes(lying)
    (tmp_path / "there").mkdir()
    with pytest.raises(DataError, match="expected a complete archive|expected at most"):
        unpack(tmp_path / "lying.zip", tmp_path / "there", 1_000_000)
    assert (tmp_path / "there/a").stat().st_size <= 1_000_000
    handle = io.BytesIO()
    with tarfile.open(fileobj=handle, mode="w:gz") as archive:
        member = tarfile.TarInfo("a")
        member.size = 5_000_000
        archive.addfile(member, io.BytesIO(b"\0" * 5_000_000))
    (tmp_path / "bomb.tgz").write_bytes(handle.getvalue())
    (tmp_path / "too").mkdir()
    with pytest.raises(DataError, match="expected at most 0.001 GB unpacked"):
        unpack(tmp_path / "bomb.tgz", tmp_path / "too", 1_000_000)
    long = server.files["/long.zip"] = zipped(a=NOISE)
    with pytest.raises(DataError, match=r"expected at most 0.0001 GB \(--max-gb\)"):
        fetch(f"{server.url}/long.zip", digest(long), tmp_path / "out", max_gb=1e-4)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"<html>", "expected a ZIP or TAR archive; got another kind of file"),
        (zipped(a=NOISE).replace(NOISE[2000:2010], b"0123456789"), "expected a complete archive; got: .*CRC"),
    ],
    ids=["html", "damaged"],
)
def test_what_cannot_be_unpacked_is_named(server, tmp_path, data, message):
    server.files["/a"] = data
    with pytest.raises(DataError, match=message):
        fetch(f"{server.url}/a", digest(data), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_mistakes_are_one_line(server, tmp_path, capsys):
    for arguments, message in (
        (["--url", "ftp://x/a", "--sha256", "0" * 64], "--url: expected http:// or https://; got ftp://x/a"),
        (["--url", "http://x/a", "--sha256", "12"], "--sha256: expected 64 hexadecimal digits; got 12"),
        (["--url", f"{server.url}/none", "--sha256", "0" * 64], "expected an archive; got HTTP 404 Not Found"),
        (["--url", "http://127.0.0.1:9/a", "--sha256", "0" * 64], "expected a server that answers; got, 4 times: "),
    ):
        assert main(["fetch", *arguments, "--out", str(tmp_path / "out")]) == 2
        assert message in capsys.readouterr().err.splitlines()[-1]
    with pytest.raises(SettingsError):
        fetch("file:///etc/passwd", "0" * 64, tmp_path / "out")


def test_the_workflow_fetches_what_a_run_needs_and_nothing_by_default(server, tmp_path):
    from flowpkg.problems.images.faces import draw_faces

    def png(image):
        from PIL import Image

        handle = io.BytesIO()
        Image.fromarray(image).save(handle, "PNG")
        return handle.getvalue()

    images, _ = draw_faces("cat", 16, 1, "files", range(30))
    data = server.files["/cats.zip"] = zipped(**{f"cat__{k}.png": png(image) for k, image in enumerate(images)})
    config = {
        "style": str(ROOT / "flowpkg/figures/style.mplstyle"),
        "archives": {"cats": {"url": f"{server.url}/cats.zip", "sha256": digest(data)}},
        "runs": {
            "own": {
                "application": "distribution_mapping",
                "problem": {"name": "folder", "path": "resources/cats", "size": 8},
                "training": {"batch_size": 4},
            }
        },
    }
    (tmp_path / "config.yaml").write_text(json.dumps(config))
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    command = [
        "snakemake",
        "--snakefile",
        str(ROOT / "workflow/Snakefile"),
        "--directory",
        str(tmp_path),
        "--cores",
        "1",
    ]

    def call(*arguments):
        done = subprocess.run(
            [*command, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    call("results/own/data", "--configfile", str(tmp_path / "config.yaml"))
    assert (tmp_path / "resources/cats/cat/0.png").is_file()
    assert np.load(tmp_path / "results/own/data/train_x.npy").shape[1:] == (8, 8, 3)
    for name in ("config", "smoke"):
        assert "archives" not in yaml.safe_load((ROOT / f"config/{name}.yaml").read_text())
