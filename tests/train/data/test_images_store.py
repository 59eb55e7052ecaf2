import io
import os
import tarfile
import zipfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from train.data import images as image_store
from train.data.images import Archive, RefusedImage, UnreadableImage, inside, load_picture, stored

COLOURS = {"000000000001.jpg": (200, 10, 10), "अ.png": (10, 200, 10), "红 色.png": (10, 10, 200)}


def picture(colour, form="PNG"):
    data = io.BytesIO()
    Image.new("RGB", (32, 16), colour).save(data, form)
    return data.getvalue()


def make_zip(path, members, **kwargs):
    with zipfile.ZipFile(path, "w", **{"compression": zipfile.ZIP_DEFLATED, **kwargs}) as file:
        for name, data in members.items():
            file.writestr(name, data)


def make_tar(path, members):
    with tarfile.open(path, "w") as file:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            file.addfile(info, io.BytesIO(data))


MAKE = {".zip": make_zip, ".tar": make_tar}
PICTURES = {name: picture(colour) for name, colour in COLOURS.items()}


@pytest.mark.parametrize("suffix", [".zip", ".tar"])
@pytest.mark.parametrize(
    ("archive", "inner"),
    [
        ("coco/train2017", ""),
        ("coco/train2017", "train2017/"),
        ("coco/train2017", "./train2017/"),
        ("coco", "train2017/"),
        ("coco", "coco/train2017/"),
        ("../images", "images/coco/train2017/"),
    ],
)
def test_an_archive_stands_in_for_the_folder_of_its_name(tmp_path, suffix, archive, inner):
    root = tmp_path / "images"
    (root / "coco").mkdir(parents=True)
    members = {inner + name: data for name, data in PICTURES.items()}
    MAKE[suffix](root / f"{archive}{suffix}", members)
    folder = root / "coco" / "train2017"
    for name, colour in COLOURS.items():
        assert load_picture(folder / name).getpixel((5, 5)) == colour
    with pytest.raises(UnreadableImage, match=r"no image .*/coco/train2017/none\.jpg"):
        load_picture(folder / "none.jpg")


def test_a_file_in_the_folder_comes_before_the_archive(tmp_path):
    make_zip(tmp_path / "vg.zip", {"a.png": picture((1, 2, 3)), "b.png": picture((4, 5, 6))})
    (tmp_path / "vg").mkdir()
    (tmp_path / "vg" / "a.png").write_bytes(picture((7, 8, 9)))
    assert load_picture(tmp_path / "vg" / "a.png").getpixel((0, 0)) == (7, 8, 9)
    assert load_picture(tmp_path / "vg" / "b.png").getpixel((0, 0)) == (4, 5, 6)


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_zip64_entries_are_read(tmp_path, compression):
    with zipfile.ZipFile(tmp_path / "x.zip", "w", compression) as file:
        with file.open("a.png", "w", force_zip64=True) as member:
            member.write(PICTURES["अ.png"])
        # more than the plain format can count
        for number in range(66_000 if compression == zipfile.ZIP_STORED else 1):
            file.writestr(f"{number}.txt", "")
    assert stored(tmp_path / "x" / "a.png")() == PICTURES["अ.png"]


def test_names_without_the_utf8_flag_are_taken_for_utf8(tmp_path):
    path = tmp_path / "x.zip"
    make_zip(path, {"é.png": PICTURES["अ.png"]})
    data = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = data.index(signature) + offset
        data[at : at + 2] = b"\0\0"
    path.write_bytes(data)
    assert stored(tmp_path / "x" / "é.png")() == PICTURES["अ.png"]


@pytest.mark.parametrize(
    "name",
    ["../secret.png", "a/../../secret.png", "/etc/passwd", "..", "..\\secret.png", "C:\\x.png"],
)
@pytest.mark.parametrize("root", [Path("/data/images"), None])
def test_a_name_that_leads_out_is_refused(root, name):
    with pytest.raises(RefusedImage, match="leads out of the images' folder"):
        inside(root, name)
    with pytest.raises(RefusedImage):
        inside(root, "a\0.png")


@pytest.mark.parametrize("name", ["a..b.jpg", "...jpg", "coco/train2017/1.jpg", "ب/ক.png", "a b"])
def test_strange_but_harmless_names_are_allowed(name):
    assert inside(Path("/data"), name) == Path("/data") / name
    assert inside(None, name) == Path(name)


@pytest.mark.parametrize("suffix", [".zip", ".tar"])
def test_hostile_members_are_not_there(tmp_path, suffix):
    data = PICTURES["अ.png"]
    MAKE[suffix](tmp_path / f"x{suffix}", {"../x.png": data, "/x.png": data, "b/../../x.png": data})
    for _ in range(2):  # indexed, then read from the index
        archive = Archive(tmp_path / f"x{suffix}")
        assert (len(archive._entries), archive.broken) == (0, "")


def test_links_in_a_tar_are_not_followed(tmp_path):
    (tmp_path / "secret.png").write_bytes(PICTURES["अ.png"])
    with tarfile.open(tmp_path / "x.tar", "w") as file:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE):
            info = tarfile.TarInfo(f"link{kind.decode()}.png")
            info.type, info.linkname = kind, str(tmp_path / "secret.png")
            file.addfile(info)
    for kind in ("1", "2"):
        assert stored(tmp_path / "x" / f"link{kind}.png") is None


def test_the_index_lies_beside_the_archive_and_follows_it(tmp_path, monkeypatch):
    path = tmp_path / "x.tar"
    make_tar(path, {"a.png": b"one"})
    assert Archive(path).read(Archive(path).find("a.png")) == b"one"
    [index] = tmp_path.glob(".x.tar.*.npy")
    with monkeypatch.context() as patched:
        patched.setattr(image_store, "_entries", None)  # not read again
        assert Archive(path).find("a.png") is not None
    index.write_bytes(b"broken")
    assert Archive(path).find("a.png") is not None
    make_tar(path, {"b.png": b"two", "c.png": b"three"})
    os.utime(path, ns=(1, 1))
    changed = Archive(path)
    assert changed.find("a.png") is None
    assert changed.read(changed.find("c.png")) == b"three"
    assert len(list(tmp_path.glob(".x.tar.*.npy"))) == 1


def test_an_archive_in_a_folder_that_cannot_be_written_is_indexed_in_memory(tmp_path, monkeypatch):
    def refuse(path):
        raise PermissionError(path)

    make_zip(tmp_path / "x.zip", {"a.png": b"one"})
    monkeypatch.setattr(image_store, "replaced", refuse)
    archive = Archive(tmp_path / "x.zip")
    assert archive.read(archive.find("a.png")) == b"one"
    assert [path.name for path in tmp_path.iterdir()] == ["x.zip"]


@pytest.mark.parametrize("suffix", [".zip", ".tar"])
def test_a_broken_archive_says_so_for_each_of_its_images(tmp_path, suffix):
    make = MAKE[suffix]
    noise = np.random.default_rng(1).bytes(3000)
    make(tmp_path / f"x{suffix}", {"a.png": noise, "b.png": noise})
    data = (tmp_path / f"x{suffix}").read_bytes()
    (tmp_path / f"x{suffix}").write_bytes(data[: len(data) // 4])
    for name in "ab":
        with pytest.raises(UnreadableImage, match=r"cannot read archive .*x\.(zip|tar): "):
            load_picture(tmp_path / "x" / f"{name}.png")


def test_damaged_bytes_in_a_zip_are_seen(tmp_path):
    make_zip(tmp_path / "x.zip", {"a.png": b"A" * 100}, compression=zipfile.ZIP_STORED)
    data = (tmp_path / "x.zip").read_bytes()
    (tmp_path / "x.zip").write_bytes(data.replace(b"A" * 50, b"A" * 49 + b"B", 1))
    with pytest.raises(UnreadableImage, match="its checksum differs"):
        stored(tmp_path / "x" / "a.png")()


def test_a_zip_bomb_is_not_unpacked(tmp_path, monkeypatch):
    make_zip(tmp_path / "x.zip", {"a.png": b"\0" * 100_000})
    monkeypatch.setattr(image_store, "MAX_IMAGE_BYTES", 50_000)
    with pytest.raises(UnreadableImage, match=r"100000 bytes in .* is too large"):
        stored(tmp_path / "x" / "a.png")()


def test_an_unknown_packing_is_named(tmp_path):
    make_zip(tmp_path / "x.zip", {"a.png": b"1"}, compression=zipfile.ZIP_LZMA)
    with pytest.raises(UnreadableImage, match="packed in a way that is not read here"):
        stored(tmp_path / "x" / "a.png")()


def corner(path):
    return load_picture(path).getpixel((0, 0))


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_workers_read_the_same_archive_side_by_side(tmp_path, start):
    colours = {f"{number}.png": (number, 255 - number, 7) for number in range(40)}
    make_tar(tmp_path / "x.tar", {name: picture(colour) for name, colour in colours.items()})
    paths = [tmp_path / "x" / name for name in colours]
    assert corner(paths[0]) == (0, 255, 7)  # the parent has it open when workers start
    with ProcessPoolExecutor(2, mp_context=get_context(start)) as pool:
        assert list(pool.map(corner, paths * 3)) == [*colours.values()] * 3
