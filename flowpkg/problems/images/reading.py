"""Read images of any kind as small arrays: what is clear is converted, what is not is skipped and named."""

from __future__ import annotations

import io
import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from flowpkg.errors import DataError
from flowpkg.problems.images.trees import WORKERS, Tree, open_tree

FORMATS = ("JPEG", "PNG", "WEBP")
MAX_PIXELS = 89_478_485  # Pillow's own limit, a quarter of a gigabyte in colour.
MIN_SIDE = 8
BATCH = 256


class BadImage(ValueError):
    """A file that cannot be used as an image; the message says why."""


def decode_image(
    data: bytes, shape: tuple[int, int, int], *, min_side: int = MIN_SIDE, max_pixels: int = MAX_PIXELS
) -> np.ndarray:
    """Return the bytes of a JPEG, PNG or WebP file as levels `[height, width, channels]`.

    The largest centred part of the wanted proportions is resized with antialiasing (Lanczos, Pillow's, whose support
    grows with the reduction). Converted: EXIF rotation; CMYK, palette, 1-bit and 16-bit images (65535 becomes 255);
    transparency, over white; grey to colour and colour to grey (ITU-R 601 luma), as `channels` asks.

    Args:
        data: the file's bytes; their content decides, not the file's name.
        shape: height, width and channels (1 or 3) wanted.
        min_side: shortest side in pixels; an image of a pixel or two shows nothing.
        max_pixels: most pixels; checked before any is decoded, so that a decompression bomb costs nothing.

    Raises:
        BadImage: not an image, truncated, too small or too large.
    """
    height, width, channels = shape
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            if image.width * image.height > max_pixels:
                raise BadImage(f"{image.width} x {image.height} pixels, more than {max_pixels}")
            if min(image.width, image.height) < min_side:
                raise BadImage(f"{image.width} x {image.height} pixels, a side of less than {min_side}")
            # Let JPEG decode at a half, quarter or eighth where that is still twice the size wanted either way round.
            image.draft(image.mode, (2 * max(width, height),) * 2)
            plain = _plain(image, channels)
        return _fitted(plain, height, width).reshape(shape)
    except BadImage:
        raise
    except Image.DecompressionBombError:
        raise BadImage(f"more than {max_pixels} pixels") from None
    except Image.UnidentifiedImageError:
        raise BadImage(f"not a {', '.join(FORMATS)} image") from None
    except Exception as error:  # decoders raise many types for damaged bytes; all mean the same to the user
        raise BadImage(f"damaged: {' '.join(str(error).split())[:100] or type(error).__name__}") from None


def _plain(image: Image.Image, channels: int) -> Image.Image:
    """Return an upright 8-bit image of one or three channels."""
    image.load()
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I"):
        levels = np.asarray(image).astype(np.int64)
        image = Image.fromarray(((np.clip(levels, 0, 65535) * 255 + 32767) // 65535).astype(np.uint8))
    elif image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    elif image.mode not in ("L", "RGB"):
        image = image.convert("L" if image.mode == "1" else "RGB")
    return image.convert("L" if channels == 1 else "RGB")


def _fitted(image: Image.Image, height: int, width: int) -> np.ndarray:
    """Return the largest centred part of the wanted proportions, resized."""
    scale = min(image.width / width, image.height / height)
    across, down = scale * width, scale * height
    left, top = 0.5 * (image.width - across), 0.5 * (image.height - down)
    # Rounding must not leave the image by a hair.
    box = (max(left, 0.0), max(top, 0.0), min(left + across, image.width), min(top + down, image.height))
    return np.asarray(image.resize((width, height), Image.Resampling.LANCZOS, box=box, reducing_gap=3.0))


def quantised(levels: np.ndarray, step: int) -> np.ndarray:
    """Return 8-bit levels as the nearest lower multiples of `step` that a problem with such levels has."""
    return levels if step == 1 else (np.minimum(levels // step, 256 // step - 1) * step).astype(np.uint8)


class ImageReader:
    """Decode files in parallel, in order, with a bounded number in flight.

    Args:
        shape: height, width and channels of the arrays.
        step: distance of the levels; 1 for 8-bit images.
        min_side, max_pixels: see `decode_image`.
        workers: threads, since Pillow decodes and resizes without Python's lock; 0 for one a core, more for a bucket.
        most_skipped: give up once more files than this are skipped; None never does.

    Attributes:
        skipped: (name, why) of every file that was left out so far.
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        step: int = 1,
        *,
        min_side: int = MIN_SIDE,
        max_pixels: int = MAX_PIXELS,
        workers: int = 0,
        most_skipped: int | None = None,
    ) -> None:
        self.shape, self.step, self.workers, self.most_skipped = tuple(shape), step, workers, most_skipped
        self._limits = {"min_side": min_side, "max_pixels": max_pixels}
        self.skipped: list[tuple[str, str]] = []

    def batches(
        self, source: str | Path | Tree, names: Iterable[str] | None = None
    ) -> Iterator[tuple[np.ndarray, list[str]]]:
        """Yield (images `[b, height, width, channels]`, their names), in the order of `names`.

        Args:
            source: a folder, an image file, `s3://bucket/prefix`, or a tree.
            names: which files; all by default.

        Raises:
            DataError: the source is missing or cannot be reached, or too many files are skipped.
        """
        tree = source if isinstance(source, Tree) else open_tree(source)
        names = tree.names() if names is None else names
        images, kept = [], []
        for name, result in self._decoded(tree, names):
            if isinstance(result, BadImage):
                self.skipped.append((name, str(result)))
                if self.most_skipped is not None and len(self.skipped) > self.most_skipped:
                    raise DataError(
                        f"{tree.path}: expected at most {self.most_skipped} files that cannot be used "
                        f"(problem.failed_fraction); got more: "
                        f"{describe_skipped(self.skipped)}"
                    )
                continue
            images.append(result)
            kept.append(name)
            if len(images) == BATCH:
                yield np.stack(images), kept
                images, kept = [], []
        if images:
            yield np.stack(images), kept

    def _decoded(self, tree: Tree, names: Iterable[str]) -> Iterator[tuple[str, np.ndarray | BadImage]]:
        def decode(name: str) -> np.ndarray | BadImage:
            try:
                return quantised(decode_image(tree.read(name), self.shape, **self._limits), self.step)
            except BadImage as error:
                return error
            except OSError as error:
                return BadImage(error.strerror or str(error))

        workers = self.workers or (WORKERS if tree.remote else min(16, len(os.sched_getaffinity(0))))
        pending: deque = deque()
        with ThreadPoolExecutor(workers) as pool:
            try:
                for name in names:
                    pending.append((name, pool.submit(decode, name)))
                    if len(pending) >= 4 * workers:
                        done, future = pending.popleft()
                        yield done, future.result()
                while pending:
                    done, future = pending.popleft()
                    yield done, future.result()
            finally:
                for _, future in pending:
                    future.cancel()


def describe_skipped(skipped: list[tuple[str, str]], most: int = 10) -> str:
    """Return one line that names skipped files and why."""
    listed = "; ".join(f"{name} ({why})" for name, why in skipped[:most])
    return listed + (f"; and {len(skipped) - most} more" if len(skipped) > most else "")


def read_folder_images(
    path: str | Path, shape: tuple[int, int, int], step: int = 1
) -> tuple[np.ndarray, list[str], list[tuple[str, str]]]:
    """Read every image below a folder into memory, in the order of their names.

    Args:
        path: a folder, an image file, or `s3://bucket/prefix`.
        shape: height, width and channels wanted.
        step: distance of the levels; 1 for 8-bit images.

    Returns:
        Images `[n, height, width, channels]`, their names relative to `path`, and (name, why) of skipped files.

    Raises:
        DataError: the folder is missing, cannot be reached, or holds no image that can be used.
    """
    reader = ImageReader(shape, step)
    images, names = [np.zeros((0, *shape), np.uint8)], []
    for batch, kept in reader.batches(path):
        images.append(batch)
        names += kept
    if not names:
        why = f": {describe_skipped(reader.skipped)}" if reader.skipped else ""
        raise DataError(f"{path}: expected JPEG, PNG or WebP images; got none that can be used{why}")
    return np.concatenate(images), names, reader.skipped
