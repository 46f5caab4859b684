"""Folders and buckets of images, and everything that can be wrong with a file."""

import io
import struct
import zlib

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from flowpkg.commands.data import read_data
from flowpkg.commands.prepare import prepare
from flowpkg.errors import DataError, SettingsError
from flowpkg.problems import load_problem
from flowpkg.problems.images.faces import draw_faces
from flowpkg.problems.images.reading import BadImage, ImageReader, decode_image, quantised, read_folder_images
from flowpkg.problems.images.trees import Bucket, open_tree
from flowpkg.settings import resolve

RNG = np.random.default_rng(0)
SMOOTH = np.add.outer(np.arange(40), np.arange(40))[..., None] * np.array([1, 2, 3]) + np.array([10, 0, 5])


def encoded(pixels, form="PNG", mode=None, **options):
    image = Image.fromarray(np.asarray(pixels, np.uint8)) if not isinstance(pixels, Image.Image) else pixels
    if mode:
        image = image.convert(mode)
    handle = io.BytesIO()
    image.save(handle, form, **options)
    return handle.getvalue()


def png_header(width, height):
    """A PNG file that promises many pixels and holds next to none."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")


def settings(folder, **problem):
    return resolve(
        {
            "application": "distribution_mapping",
            "problem": {"name": "folder", "path": str(folder), "size": 16, **problem},
            "training": {"batch_size": 4},
        }
    )


@pytest.fixture
def tree(tmp_path):
    """Twenty cats and twenty dogs and six balls in class folders, in three formats."""
    root = tmp_path / "images"
    for kind, count in (("cat", 20), ("dog", 20), ("ball", 6)):
        images, _ = draw_faces(kind, 24, 1, "files", range(count))
        for k, image in enumerate(images):
            form, suffix = (("PNG", "png"), ("JPEG", "JPG"), ("WEBP", "webp"))[k % 3]
            path = root / kind / ("deeper" if k % 2 else "") / f"{k:02d}.{suffix}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(encoded(image, form))
    (root / "cat/notes.txt").write_text("not an image")
    (root / ".hidden.png").write_bytes(b"")
    return root


def test_resizing_is_antialiased_and_crops_the_centre():
    board = np.indices((64, 64)).sum(axis=0) % 2 * 255
    reduced = decode_image(encoded(np.stack([board] * 3, axis=-1)), (8, 8, 3))
    assert np.abs(reduced.astype(int) - 127).max() <= 3
    wide = np.zeros((20, 60, 3), int)
    wide[:, 20:40] = [0, 0, 255]
    wide[:, :20] = wide[:, 40:] = [255, 0, 0]
    centre = decode_image(encoded(wide), (20, 20, 3))
    np.testing.assert_array_equal(centre, wide[:, 20:40])
    np.testing.assert_array_equal(decode_image(encoded(SMOOTH), (40, 40, 3)), SMOOTH.astype(np.uint8))
    # Against the box mean of a smooth picture, away from the edges; JPEG takes the path that decodes at half size.
    smooth = np.repeat(np.repeat(SMOOTH, 4, axis=0), 4, axis=1).astype(np.uint8)
    for form in ("PNG", "JPEG"):
        small = decode_image(encoded(smooth, form, **({"quality": 95} if form == "JPEG" else {})), (20, 20, 3))
        mean = smooth.reshape(20, 8, 20, 8, 3).mean(axis=(1, 3))
        assert np.abs(small - mean)[2:-2, 2:-2].max() <= 4


def test_every_mode_whose_meaning_is_clear_is_converted():
    shape, plain = (40, 40, 3), SMOOTH.astype(np.uint8)
    red = np.tile(np.array([200, 30, 40]), (40, 40, 1))
    cmyk = decode_image(encoded(red, "JPEG", "CMYK", quality=95), shape)
    assert np.abs(cmyk.astype(int) - red).max() <= 12
    palette = Image.fromarray(plain).quantize(64)
    np.testing.assert_array_equal(decode_image(encoded(palette), shape), np.asarray(palette.convert("RGB")))
    grey = Image.fromarray(plain).convert("L")
    np.testing.assert_array_equal(decode_image(encoded(grey), shape), np.stack([np.asarray(grey)] * 3, axis=-1))
    np.testing.assert_array_equal(decode_image(encoded(plain), (40, 40, 1))[..., 0], np.asarray(grey))
    bits = decode_image(encoded(Image.fromarray(plain).convert("1")), shape)
    assert set(np.unique(bits)) == {0, 255}
    deep = np.linspace(0, 65535, 1600).round().astype(np.uint16).reshape(40, 40)
    handle = io.BytesIO()
    Image.fromarray(deep).save(handle, "PNG")
    sixteen = decode_image(handle.getvalue(), shape)
    np.testing.assert_array_equal(sixteen[..., 0], np.rint(deep / 257.0))
    assert (sixteen[..., 0] == sixteen[..., 2]).all()
    clear = np.dstack([plain, np.full((40, 40), 0)])
    clear[:20, :, 3] = 255
    over_white = decode_image(encoded(clear), shape)
    np.testing.assert_array_equal(over_white[:20], plain[:20])
    assert (over_white[20:] == 255).all()
    see_through = Image.fromarray(plain).quantize(8)
    assert (decode_image(encoded(see_through, transparency=see_through.getpixel((0, 0))), shape)[0, 0] == 255).all()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation_is_undone(orientation):
    upright = Image.fromarray(SMOOTH.astype(np.uint8))
    # What a camera held so would store: the inverse of the transposition that the tag asks for.
    stored = {
        1: None, 2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }[orientation]  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(upright.transpose(stored) if stored is not None else upright, exif=exif)
    np.testing.assert_array_equal(decode_image(data, (40, 40, 3)), np.asarray(upright))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (encoded(RNG.integers(0, 256, (64, 64, 3)), "JPEG")[:900], "damaged: .*truncated"),
        (encoded(RNG.integers(0, 256, (64, 64, 3)))[:3000], "damaged: .*truncated"),
        (encoded(RNG.integers(0, 256, (64, 64, 3)), "WEBP")[:900], "damaged|not a"),
        (b"<html>404 not found</html>", "not a JPEG, PNG, WEBP image"),
        (b"", "not a JPEG, PNG, WEBP image"),
        (encoded(SMOOTH, "GIF"), "not a JPEG, PNG, WEBP image"),
        (encoded(np.zeros((1, 1, 3))), "1 x 1 pixels, a side of less than 8"),
        (encoded(np.zeros((1, 500, 3))), "500 x 1 pixels, a side of less than 8"),
        (png_header(12_000, 12_000), "12000 x 12000 pixels, more than 89478485"),
        (png_header(60_000, 60_000), "more than 89478485 pixels"),
    ],
    ids=["jpeg", "png", "webp", "html", "empty", "gif", "pixel", "line", "bomb", "large_bomb"],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_what_is_not_clear_is_refused_with_its_reason(data, message):
    with pytest.raises(BadImage, match=message):
        decode_image(data, (16, 16, 3))


def test_bad_files_are_skipped_counted_and_named(tree, tmp_path, capsys):
    (tree / "cat/cut.jpg").write_bytes(encoded(RNG.integers(0, 256, (64, 64, 3)), "JPEG")[:900])
    (tree / "dog/link.png").symlink_to(tree / "nowhere.png")
    (tree / "dog/grey.jpg").write_bytes(encoded(SMOOTH, "JPEG", "L"))
    (tree / "empty").mkdir()
    prepare(settings(tree, normal=["cat", "dog"], anomalies=["ball"], failed_fraction=0.1), tmp_path / "data")
    told = capsys.readouterr().err
    assert "skipped 2 of 49 images" in told and "dog/link.png (broken link)" in told and "cat/cut.jpg (damaged" in told
    assert "1 files of" in told and "not images by name" in told
    table = pd.read_csv(tmp_path / "data/files.csv", keep_default_na=False)
    assert table["status"].value_counts().to_dict() == {"used": 47, "skipped": 2}
    arrays, _, _ = read_data(tmp_path / "data")
    assert sum(len(arrays[f"{split}_x"]) for split in ("train", "validation", "test", "anomaly")) == 47
    for _, row in table[table["status"] == "used"].iterrows():
        expected = decode_image((tree / row["file"]).read_bytes(), (16, 16, 3))
        np.testing.assert_array_equal(arrays[f"{row['split']}_x"][row["row"]], expected)
    assert set(table[table["split"] == "anomaly"]["class"]) == {"ball"}


def test_too_many_bad_files_are_an_error(tree, tmp_path):
    files = sorted(path for path in tree.rglob("*") if path.suffix in (".png", ".JPG", ".webp") and path.stem[0] != ".")
    for path in files[:: len(files) // 14]:
        path.write_bytes(b"gone")
    with pytest.raises(
        DataError, match=r"at most 2 files .*\(problem.failed_fraction\); got more: .*not a JPEG"
    ) as caught:
        prepare(settings(tree), tmp_path / "data")
    assert "\n" not in str(caught.value) and not (tmp_path / "data").exists()
    prepare(settings(tree, failed_fraction=0.5), tmp_path / "data")
    assert (pd.read_csv(tmp_path / "data/files.csv")["status"] == "skipped").sum() >= 14


def test_order_and_split_follow_the_seed_alone(tree, tmp_path):
    run = settings(tree, classes=["dog", "cat"])
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        prepare({**run, "seed": seed}, tmp_path / name)
    tables = {name: pd.read_csv(tmp_path / name / "files.csv") for name in "abc"}
    pd.testing.assert_frame_equal(tables["a"], tables["b"])
    assert (tables["a"]["split"] != tables["c"]["split"]).any()
    for name in ("train_x", "train_y"):
        assert (tmp_path / f"a/{name}.npy").read_bytes() == (tmp_path / f"b/{name}.npy").read_bytes()
    arrays, _, y_names = read_data(tmp_path / "a")
    assert y_names == ["dog", "cat"]
    held = tables["a"][tables["a"]["split"] == "test"].sort_values("row")
    np.testing.assert_array_equal(arrays["test_y"][:, 1], held["class"] == "cat")
    assert held["class"].value_counts().to_dict() == {"cat": 6, "dog": 6}
    assert set(tables["a"][tables["a"]["status"] == "not used"]["class"]) == {"ball"}
    # One worker or many: the same images in the same order.
    few, many = (
        [image for images, _ in ImageReader((8, 8, 3), workers=count).batches(tree) for image in images]
        for count in (1, 5)
    )
    np.testing.assert_array_equal(few, many)


@pytest.mark.parametrize("with_test", [False, True])
def test_split_folders_as_in_the_animal_faces(tree, tmp_path, with_test):
    root = tmp_path / "afhq"
    for kind, split in (("cat", "train"), ("dog", "val"), ("ball", "val")):
        (root / split).mkdir(parents=True, exist_ok=True)
        (tree / kind).rename(root / split / kind)
    for held, name in zip(
        sorted((root / "train/cat").glob("*.png"))[:3], ("val", "val", "test" if with_test else "val")
    ):
        (root / name / "cat").mkdir(parents=True, exist_ok=True)
        held.rename(root / name / "cat" / held.name)
    prepare(settings(root, normal=["cat"], anomalies=["dog", "ball"]), tmp_path / "data")
    table = pd.read_csv(tmp_path / "data/files.csv")
    assert set(table[table["split"] == "anomaly"]["class"]) == {"dog", "ball"}
    split = table.set_index("file")["split"]
    cats = split[[name for name in split.index if "/cat/" in name]]
    expected = {"train": 14, "validation": 3, "test": 3} if not with_test else {"train": 17, "validation": 2, "test": 1}
    assert cats.value_counts().to_dict() == expected
    assert (cats[[name for name in cats.index if name.startswith("train/")]] != "test").all()
    kinds = read_data(tmp_path / "data")[0]["anomaly_kind"]
    np.testing.assert_array_equal(np.bincount(kinds), [20, 6])


def test_images_without_classes(tree, tmp_path):
    flat = tmp_path / "flat"
    flat.mkdir()
    for path in tree.rglob("*/**/*.png"):
        (flat / f"{path.parent.name}_{path.name}").write_bytes(path.read_bytes())
    prepare(settings(flat, channels=1), tmp_path / "data")
    table = pd.read_csv(tmp_path / "data/files.csv")
    assert set(table["class"]) == {"."} and (table["status"] == "used").all()
    assert read_data(tmp_path / "data")[0]["train_x"].shape[1:] == (16, 16, 1)


def test_rings_of_links_are_walked_once(tree):
    (tree / "cat/again").symlink_to(tree)
    assert len(open_tree(tree).names()) == 46


def test_new_images_are_read_for_a_model(tree):
    images, names, skipped = read_folder_images(tree / "ball", (8, 8, 3))
    assert images.shape == (6, 8, 8, 3) and names == sorted(names) and skipped == []
    one, names, _ = read_folder_images(tree / "ball/00.png", (8, 8, 3))
    np.testing.assert_array_equal(one[0], images[0])
    assert names == ["00.png"]
    coarse, _, _ = read_folder_images(tree / "ball", (8, 8, 1), 15)
    assert set(np.unique(coarse)) <= set(range(0, 241, 15))
    assert quantised(np.array([0, 14, 15, 254, 255], np.uint8), 15).tolist() == [0, 0, 15, 240, 240]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"path": "/nowhere"}, "/nowhere: expected a folder of images; got no such folder"),
        ({"normal": ["cow"]}, "problem.normal: expected class folders among ball, cat, dog; got cow"),
        ({"classes": ["cat", "cow"]}, "problem.classes: expected class folders .* got cow"),
        ({"anomalies": ["sheep"]}, "problem.anomalies: expected class folders .* got sheep"),
        ({"path": "s3:///x"}, "s3:///x: expected s3://bucket/prefix; got no bucket"),
        ({"normal": ["ball"], "failed_fraction": 0.5, "min_side": 100}, "at most 3 files"),
    ],
)
def test_mistakes_are_named(tree, tmp_path, change, message):
    with pytest.raises(DataError, match=message):
        prepare(settings(tree, **change), tmp_path / "data")


def test_an_empty_folder_is_an_error(tmp_path):
    (tmp_path / "images").mkdir()
    with pytest.raises(DataError, match="expected JPEG, PNG or WebP images; got none"):
        prepare(settings(tmp_path / "images"), tmp_path / "data")
    with pytest.raises(DataError, match="expected JPEG, PNG or WebP images; got none that can be used"):
        read_folder_images(tmp_path / "images", (8, 8, 3))
    with pytest.raises(SettingsError, match="problem.channels: expected 1 or 3; got 2"):
        load_problem({"name": "folder", "path": "x", "channels": 2})


@pytest.fixture
def bucket(monkeypatch, tmp_path):
    """An S3 server on loopback, with boto3 pointed at it and at no credentials of the machine's."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}", "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true", "HOME": str(tmp_path),
        "AWS_CONFIG_FILE": "/nonexistent", "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    import boto3

    client = boto3.session.Session().client("s3", region_name="us-east-1")
    client.create_bucket(Bucket="pictures")
    yield client
    server.stop()


def test_a_bucket_is_read_like_a_folder(bucket, tree, tmp_path, monkeypatch):
    files = sorted(path for path in tree.rglob("*.*") if path.is_file())
    for path in files:
        bucket.put_object(Bucket="pictures", Key=f"some/{path.relative_to(tree).as_posix()}", Body=path.read_bytes())
    bucket.put_object(Bucket="pictures", Key="something/else.png", Body=b"another prefix")
    monkeypatch.setattr(Bucket, "page", 7)
    assert open_tree("s3://pictures/some").names() == open_tree(tree).names()
    prepare(settings(tree, classes=["cat", "dog"], anomalies=["ball"]), tmp_path / "a")
    prepare(settings("s3://pictures/some/", classes=["cat", "dog"], anomalies=["ball"]), tmp_path / "b")
    for path in (tmp_path / "a").glob("*.npy"):
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()
    # An object that vanishes between listing and reading is a skipped file, not a crash.
    reader = ImageReader((8, 8, 3))
    kept = [name for _, names in reader.batches("s3://pictures/some", ["cat/00.png", "cat/gone.png"]) for name in names]
    assert kept == ["cat/00.png"] and reader.skipped == [("cat/gone.png", "no such object")]


def test_what_is_wrong_with_a_bucket_is_one_clear_line(bucket, tmp_path, monkeypatch):
    with pytest.raises(DataError, match="s3://absent/x: expected a bucket; got no such bucket: absent"):
        open_tree("s3://absent/x").names()
    with pytest.raises(DataError, match="expected JPEG, PNG or WebP images; got none"):
        prepare(settings("s3://pictures/empty"), tmp_path / "data")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(DataError, match="expected an S3 endpoint that answers; got: Could not connect .*127.0.0.1:9"):
        open_tree("s3://pictures/some").names()
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(DataError, match="expected S3 credentials .*got none") as caught:
        open_tree("s3://pictures/some").names()
    assert "\n" not in str(caught.value)
