"""Trees of image files: a folder on disk, or a prefix in an S3 bucket."""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import Any

from flowpkg.errors import DataError

# Requests at a time to a bucket: they wait for the network, not for a processor.
WORKERS = 16
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")


class Tree:
    """Image files by relative name, `/` between folders.

    Attributes:
        path: what the user called it.
        remote: reading waits for a network rather than for a processor.
        ignored: files that are not images by their name, counted by `names`; hidden files are not even counted.
    """

    remote = False

    def __init__(self, path: str | Path) -> None:
        self.path, self.ignored = str(path), 0

    def names(self) -> list[str]:
        """Return the names of all image files, sorted, so that their order does not depend on the file system."""
        raise TypeError(f"{type(self).__name__} does not define names")

    def read(self, name: str) -> bytes:
        """Return a file's bytes; `OSError` where this file alone cannot be read."""
        raise TypeError(f"{type(self).__name__} does not define read")

    def _chosen(self, names: list[str]) -> list[str]:
        names = [name for name in names if not name.rpartition("/")[2].startswith(".")]
        chosen = sorted(name for name in names if name.lower().endswith(SUFFIXES))
        self.ignored = len(names) - len(chosen)
        return chosen


class Folder(Tree):
    """A folder on disk, or one image file; links are followed, and a ring of links is walked once."""

    def names(self) -> list[str]:
        """Return the names of all image files, sorted; broken links are among them."""
        root = Path(self.path)
        if root.is_file():
            return [root.name]
        if not root.is_dir():
            raise DataError(f"{self.path}: expected a folder of images; got no such folder")
        found, seen = [], set()
        for folder, below, files in os.walk(root, followlinks=True, onerror=self._refuse):
            real = os.path.realpath(folder)
            if real in seen:
                below.clear()
                continue
            seen.add(real)
            below.sort()
            relative = Path(folder).relative_to(root)
            found += [(relative / name).as_posix() for name in files]
        return self._chosen(found)

    def _refuse(self, error: OSError) -> None:
        raise DataError(f"{error.filename}: expected a folder that can be read; got: {error.strerror}")

    def read(self, name: str) -> bytes:
        """Return a file's bytes."""
        root = Path(self.path)
        path = root if root.is_file() else root / name
        if path.is_symlink() and not path.exists():
            raise OSError("broken link")
        return path.read_bytes()


class Bucket(Tree):
    """A prefix in an S3 bucket; credentials, region and endpoint are boto3's (`AWS_ACCESS_KEY_ID`, `AWS_ENDPOINT_URL`, ...)."""

    remote = True
    page = 1000  # Keys in one answer of the server, at most 1,000.

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.bucket, _, prefix = path.removeprefix("s3://").partition("/")
        self.prefix = prefix.rstrip("/") + "/" if prefix.rstrip("/") else ""
        if not self.bucket:
            raise DataError(f"{path}: expected s3://bucket/prefix; got no bucket")

    @functools.cached_property
    def _client(self) -> Any:
        # One client serves all threads; a session would not.
        import boto3
        from botocore.config import Config

        options = Config(
            connect_timeout=10,
            read_timeout=60,
            max_pool_connections=WORKERS,
            retries={"mode": "standard", "max_attempts": 4},
        )
        return boto3.session.Session().client("s3", config=options)

    def _call(self, function: Any) -> Any:
        """Return `function(client)`; what concerns the whole bucket becomes a `DataError`, the rest an `OSError`."""
        from botocore.exceptions import (
            BotoCoreError,
            ClientError,
            HTTPClientError,
            NoCredentialsError,
            PartialCredentialsError,
        )

        try:
            return function(self._client)
        except (NoCredentialsError, PartialCredentialsError):
            raise DataError(
                f"{self.path}: expected S3 credentials (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile); got none"
            ) from None
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            if code in ("NoSuchKey", "404"):
                raise OSError("no such object") from None
            if code == "NoSuchBucket":
                raise DataError(f"{self.path}: expected a bucket; got no such bucket: {self.bucket}") from None
            raise DataError(
                f"{self.path}: expected leave to read; got {code}: {error.response['Error'].get('Message', '')}"
            ) from None
        except (HTTPClientError, BotoCoreError) as error:
            text = " ".join(str(error).split())[:200]
            raise DataError(f"{self.path}: expected an S3 endpoint that answers; got: {text}") from None

    def names(self) -> list[str]:
        """Return the names of all image objects below the prefix, sorted."""

        def listed(client: Any) -> list[str]:
            pages = client.get_paginator("list_objects_v2").paginate(
                Bucket=self.bucket, Prefix=self.prefix, PaginationConfig={"PageSize": self.page}
            )
            return [entry["Key"][len(self.prefix) :] for page in pages for entry in page.get("Contents", [])]

        return self._chosen([name for name in self._call(listed) if name and not name.endswith("/")])

    def read(self, name: str) -> bytes:
        """Return an object's bytes."""
        return self._call(lambda client: client.get_object(Bucket=self.bucket, Key=self.prefix + name)["Body"].read())


def open_tree(path: str | Path) -> Tree:
    """Return the tree at `path`: a folder, an image file, or `s3://bucket/prefix`."""
    return Bucket(str(path)) if str(path).startswith("s3://") else Folder(path)
