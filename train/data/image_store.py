"""Where images lie: in folders, or in zip and tar archives that stand in for a folder of that name.

For a missing `x/coco/train2017/1.jpg` the archives `x/coco/train2017.zip|.tar`, `x/coco.zip|.tar`
and so on upwards are looked into, for names with and without their own folder in front.
An archive is indexed once; the index lies beside it where that can be written, so that every
worker maps the same one.
"""

import os
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path, PurePosixPath

import numpy as np

from palo.files import replaced
from palo.paths import leads_out

SUFFIXES = (".zip", ".tar")
MAX_IMAGE_BYTES = 256 << 20
INDEX_VERSION = "1"

_ENTRY = np.dtype(
    [
        ("key", "<u8"),  # the first half of the name's digest, by which entries are sorted
        ("check", "<u8"),  # the other half
        ("offset", "<u8"),  # of the local header in a zip, of the bytes themselves in a tar
        ("stored", "<u8"),  # bytes in the archive
        ("size", "<u8"),  # bytes of the file
        ("crc", "<u4"),
        ("method", "<i4"),  # a zip's; -1 in a tar
    ]
)
_PLAIN = -1
_ENCRYPTED, _UTF8 = 0x1, 0x800  # flags of a zip's entry
_LOCAL_HEADER = 30


class UnreadableImage(ValueError):
    """A picture that cannot be had; the message is the reason, path included."""


class RefusedImage(UnreadableImage):
    """A name out of the data that leads out of the images' folder; never opened."""


def inside(root: Path | None, name: str) -> Path:
    """The path of an image that the data name, below `root`. Raises RefusedImage."""
    if leads_out(name):
        raise RefusedImage(f"image name {name!r} leads out of the images' folder")
    return root / name if root else Path(name)


@dataclass(frozen=True)
class Member:
    """An image inside an archive."""

    archive: "Archive"
    entry: np.void

    def read(self) -> bytes:
        """Its bytes. Raises UnreadableImage."""
        return self.archive.read(self.entry)


def stored(path: Path) -> Member | None:
    """The image in the nearest archive that has it, or None. Raises UnreadableImage for an archive
    that cannot be read."""
    for folder in path.parents:
        for archive in _archives(folder):
            rest = path.relative_to(folder).as_posix()
            for name in (rest, f"{folder.name}/{rest}"):
                if (entry := archive.find(name)) is not None:
                    return Member(archive, entry)
    return None


@lru_cache(maxsize=4096)
def _archives(folder: Path) -> tuple["Archive", ...]:
    """Archives that stand in for a folder; opened once a process."""
    if not folder.name:
        return ()
    paths = [folder.with_name(folder.name + suffix) for suffix in SUFFIXES]
    return tuple(Archive(path) for path in paths if path.is_file())


class Archive:
    """One zip (zip64 too) or uncompressed tar; read by position, so forked workers share it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("rb", buffering=0)
        self.broken = ""
        try:
            self._entries = _index(path)
        except (zipfile.BadZipFile, tarfile.TarError, OSError, EOFError, ValueError) as error:
            self._entries = np.empty(0, _ENTRY)
            self.broken = f"cannot read archive {path}: {error}"

    def find(self, name: str) -> np.void | None:
        """Raises UnreadableImage for a broken archive."""
        if self.broken:
            raise UnreadableImage(self.broken)
        key, check = _digest(name)
        at = int(np.searchsorted(self._entries["key"], np.uint64(key)))
        if at < len(self._entries):
            entry = self._entries[at]
            if int(entry["key"]) == key and int(entry["check"]) == check:
                return entry
        return None

    def read(self, entry: np.void) -> bytes:
        offset, size = int(entry["offset"]), int(entry["size"])
        if max(size, int(entry["stored"])) > MAX_IMAGE_BYTES:
            raise UnreadableImage(f"an image of {size} bytes in {self.path} is too large")
        if entry["method"] == _PLAIN:
            return self._bytes(offset, size)
        header = self._bytes(offset, _LOCAL_HEADER)
        lengths = int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
        data = self._bytes(offset + _LOCAL_HEADER + lengths, int(entry["stored"]))
        if entry["method"] == zipfile.ZIP_DEFLATED:
            try:
                data = zlib.decompressobj(-15).decompress(data, size + 1)
            except zlib.error as error:
                raise UnreadableImage(f"an image in {self.path} is damaged: {error}") from None
        elif entry["method"] != zipfile.ZIP_STORED:
            raise UnreadableImage(
                f"an image in {self.path} is encrypted or packed in a way that is not read here; "
                "pack it again with zip"
            )
        if len(data) != size or zlib.crc32(data) != entry["crc"]:
            raise UnreadableImage(f"an image in {self.path} is damaged: its checksum differs")
        return data

    def _bytes(self, offset: int, count: int) -> bytes:
        """Raises UnreadableImage where the archive ends before."""
        data = os.pread(self._file.fileno(), count, offset)
        if len(data) < count:
            raise UnreadableImage(f"archive {self.path} breaks off")
        return data


def _index(path: Path) -> np.ndarray:
    """The archive's index, from beside it where it is of this very file."""
    status = path.stat()
    mark = f"{INDEX_VERSION}-{status.st_size:x}-{status.st_mtime_ns:x}"
    kept = path.with_name(f".{path.name}.{mark}.npy")
    try:
        return np.load(kept, mmap_mode="r")
    except (OSError, ValueError, EOFError):
        pass  # none yet, or a broken one
    entries = np.array(list(_entries(path)), dtype=_ENTRY)
    entries = entries[np.argsort(entries["key"], kind="stable")]
    try:
        for older in path.parent.glob(f".{path.name}.*.npy"):
            older.unlink()
        with replaced(kept) as temporary, temporary.open("wb") as file:
            np.save(file, entries)
    except OSError:
        return entries  # a folder that cannot be written: every process indexes for itself
    return np.load(kept, mmap_mode="r")


def _entries(path: Path) -> Iterator[tuple[int, ...]]:
    """Plain files only: a link in an archive could lead anywhere."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as packed:
            for info in packed.infolist():
                if name := None if info.is_dir() else _clean(_zip_name(info)):
                    method = -2 if info.flag_bits & _ENCRYPTED else info.compress_type
                    sizes = (info.header_offset, info.compress_size, info.file_size)
                    yield (*_digest(name), *sizes, info.CRC, method)
        return
    with tarfile.open(path, "r:") as archive:
        for member in archive:
            archive.members = []  # else it holds every header
            if member.isreg() and not member.issparse() and (name := _clean(member.name)):
                place = (member.offset_data, member.size, member.size)
                yield (*_digest(name), *place, 0, _PLAIN)


def _zip_name(info: zipfile.ZipInfo) -> str:
    """Names without zip's UTF-8 flag are mostly UTF-8 all the same."""
    if info.flag_bits & _UTF8:
        return info.filename
    try:
        return info.filename.encode("cp437").decode("utf-8")
    except UnicodeError:
        return info.filename


def _clean(name: str) -> str | None:
    """`./a/b` as `a/b`; None for a name that leads out of the archive."""
    return None if leads_out(name) else PurePosixPath(name).as_posix()


def _digest(name: str) -> tuple[int, int]:
    data = blake2b(name.encode("utf-8", "surrogateescape"), digest_size=16).digest()
    return int.from_bytes(data[:8], "little"), int.from_bytes(data[8:], "little")
