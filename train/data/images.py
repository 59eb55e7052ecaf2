"""Pictures into pixel values: padded to a square with the mean colour, then CLIP's processor.

The PIL processor is pinned, for training and for serving: the torchvision one differs by up to
.028 (docs of the house, measured).

Pictures lie in folders, or in zip and tar archives that stand in for a folder of that name. For a
missing `x/coco/train2017/1.jpg` the archives `x/coco/train2017.zip|.tar`, `x/coco.zip|.tar` and so
on upwards are looked into, for names with and without their own folder in front. An archive is
indexed once; the index lies beside it where that can be written, for every worker to map.
"""

import json
import os
import tarfile
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from functools import cache, lru_cache, partial
from hashlib import blake2b
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from PIL import Image, ImageFile, UnidentifiedImageError

from palo.errors import UserError
from palo.files import replaced
from palo.paths import leads_out

if TYPE_CHECKING:
    import torch

# OPENAI_CLIP_MEAN, as whole 0-255 values: what the published code pads with.
MEAN_COLOUR = (122, 116, 104)
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


def load_picture(path: Path) -> Image.Image:
    """As RGB, wholly decoded, from its folder or an archive. Raises UnreadableImage."""
    ImageFile.LOAD_TRUNCATED_IMAGES = False  # other libraries switch it on: half a picture is grey
    try:
        with opened(path) as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # odd metadata is no fault of the picture
            # from 89 million pixels on, where PIL only warns until twice as many
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(file) as image:
                return _as_rgb(image)
    except (UnreadableImage, MemoryError):
        raise
    except Exception as error:  # PIL's readers raise nearly anything on damaged files
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        if isinstance(error, UnidentifiedImageError):  # whose text names an object's address
            reason = "it is empty or no image"
        raise UnreadableImage(f"cannot read image {path}: {reason}") from None


def opened(path: Path) -> BinaryIO:
    """The image's bytes, from its folder or an archive. Raises UnreadableImage, OSError."""
    try:
        return path.open("rb")
    except (FileNotFoundError, NotADirectoryError):
        if (read := stored(path)) is None:
            raise UnreadableImage(f"no image {path}") from None
        return BytesIO(read())


def _as_rgb(image: Image.Image) -> Image.Image:
    """What a viewer shows: transparency on white, 16 bits a channel scaled to 8."""
    if image.mode.startswith("I"):  # PIL would clip everything above 255 to white
        return image.convert("I").point(lambda value: value * (1 / 256)).convert("RGB")
    if image.has_transparency_data:
        clear = image.convert("RGBA")
        white = Image.new("RGBA", clear.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, clear).convert("RGB")
    return image.convert("RGB")


class ImageLosses:
    """Samples whose image could not be had: a line of JSON each, fatal above a share.

    `total` is how many samples with an image the stage has. Workers get copies that write to the
    same file; only the process that starts a run gives `fresh`.
    """

    def __init__(self, path: Path, limit: float, total: int, fresh: bool = True) -> None:
        self.path, self.limit, self.total = path, limit, total
        path.parent.mkdir(parents=True, exist_ok=True)
        if fresh:
            path.write_bytes(b"")

    def add(self, sample_id: str, lang: str, image: object, reason: str) -> None:
        row = {"id": sample_id, "lang": lang, "image": str(image), "reason": reason}
        # Names out of archives may hold bytes that are no UTF-8; JSON's escapes keep them.
        line = json.dumps(row).encode("ascii") + b"\n"
        with self.path.open("ab", buffering=0) as file:
            file.write(line)  # one write of one line: never mixed with another process's

    def read(self) -> list[dict[str, str]]:
        """Each sample once, though an epoch later it was met again; in order of id and language."""
        rows: dict[tuple[str, str], dict[str, str]] = {}
        if self.path.is_file():
            # without what another process may be writing
            for line in self.path.read_bytes().rpartition(b"\n")[0].splitlines():
                row = json.loads(line)
                rows.setdefault((row["id"], row["lang"]), row)
        return [rows[key] for key in sorted(rows)]

    def check(self) -> None:
        """Raises UserError where more than the allowed share is lost."""
        rows = self.read()
        if not self.total or len(rows) <= self.limit * self.total:
            return
        first = "; ".join(f"{row['id']} ({row['lang']}): {row['reason']}" for row in rows[:3])
        raise UserError(
            f"{len(rows)} of {self.total} samples with an image ({len(rows) / self.total:.1%}) "
            f"have none that can be read; max_broken_images allows {self.limit:.1%}. "
            f"First: {first}. All are listed in {self.path}. Put the images in their places "
            "(`palo images verify` says which are missing and where they belong), or raise "
            "train: max_broken_images: in pipelines.yaml."
        )


def pad_to_square(image: Image.Image) -> Image.Image:
    """The picture centred on a square of its longer side (LLaVA's `expand2square`)."""
    width, height = image.size
    if width == height:
        return image
    side = max(width, height)
    square = Image.new("RGB", (side, side), MEAN_COLOUR)
    square.paste(image, ((side - width) // 2, (side - height) // 2))
    return square


def make_processor(image_size: int) -> Any:
    """CLIP's PIL processor for squares of `image_size` pixels."""
    from transformers.models.llava.image_processing_pil_llava import LlavaImageProcessorPil

    return LlavaImageProcessorPil(
        size={"shortest_edge": image_size},
        crop_size={"height": image_size, "width": image_size},
        do_pad=True,
    )


def pixel_values(images: Sequence[Image.Image], processor: Any) -> "torch.Tensor":
    """(N, 3, image_size, image_size) float32."""
    squares = [pad_to_square(image) for image in images]
    return processor(squares, do_pad=False, return_tensors="pt")["pixel_values"]


def pixel_bytes(image: Image.Image, processor: Any) -> "torch.Tensor":
    """(3, image_size, image_size) uint8, a quarter of the memory; `normalised` makes of them what
    `pixel_values` gives."""
    how = {"do_pad": False, "do_rescale": False, "do_normalize": False, "return_tensors": "pt"}
    return processor([pad_to_square(image)], **how)["pixel_values"][0]


def normalised(pixels: "torch.Tensor") -> "torch.Tensor":
    """Bytes (N, 3, height, width) as `pixel_values` gives them, to the last bit; floats as they
    are."""
    import torch

    if pixels.dtype != torch.uint8:
        return pixels
    shades = _shades(pixels.device)
    return torch.stack([of[pixels[:, at].long()] for at, of in enumerate(shades)], dim=1)


@cache
def _shades(device: "torch.device") -> "torch.Tensor":
    """(3, 256) float32: what the processor makes of each byte of each colour."""
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    how = {"do_pad": False, "do_resize": False, "do_center_crop": False, "return_tensors": "pt"}
    made = make_processor(1)([Image.fromarray(ramp)], **how)["pixel_values"]
    return made[0, :, 0].to(device)


class UnreadableImage(ValueError):
    """A picture that cannot be had; the message is the reason, path included."""


class RefusedImage(UnreadableImage):
    """A name out of the data that leads out of the images' folder; never opened."""


def inside(root: Path | None, name: str) -> Path:
    """The path of an image that the data name, below `root`. Raises RefusedImage."""
    if leads_out(name):
        raise RefusedImage(f"image name {name!r} leads out of the images' folder")
    return root / name if root else Path(name)


def stored(path: Path) -> Callable[[], bytes] | None:
    """How to read the image in the nearest archive that has it. Raises UnreadableImage."""
    for folder in path.parents:
        for archive in _archives(folder):
            rest = path.relative_to(folder).as_posix()
            for name in (rest, f"{folder.name}/{rest}"):
                if (entry := archive.find(name)) is not None:
                    return partial(archive.read, entry)
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
        """An image's bytes. Raises UnreadableImage."""
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
    plain = [(*_digest(name), *rest) for name, *rest in _entries(path) if not leads_out(name)]
    entries = np.array(plain, dtype=_ENTRY)
    entries = entries[np.argsort(entries["key"], kind="stable")]
    try:
        for older in path.parent.glob(f".{path.name}.*.npy"):
            older.unlink()
        with replaced(kept) as temporary, temporary.open("wb") as file:
            np.save(file, entries)
    except OSError:
        return entries  # a folder that cannot be written: every process indexes for itself
    return np.load(kept, mmap_mode="r")


def _entries(path: Path) -> Iterator[tuple[Any, ...]]:
    """Name, offset, stored, size, crc and method of plain files; a link could lead anywhere."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as packed:
            for info in packed.infolist():
                if not info.is_dir():
                    method = -2 if info.flag_bits & _ENCRYPTED else info.compress_type
                    sizes = (info.header_offset, info.compress_size, info.file_size)
                    yield _zip_name(info), *sizes, info.CRC, method
        return
    with tarfile.open(path, "r:") as tar:
        archive: Any = tar
        for member in archive:
            archive.members = []  # else it holds every header
            if member.isreg() and not member.issparse():
                yield member.name, member.offset_data, member.size, member.size, 0, _PLAIN


def _zip_name(info: zipfile.ZipInfo) -> str:
    """Names without zip's UTF-8 flag are mostly UTF-8 all the same."""
    if info.flag_bits & _UTF8:
        return info.filename
    try:
        return info.filename.encode("cp437").decode("utf-8")
    except UnicodeError:
        return info.filename


def _digest(name: str) -> tuple[int, int]:
    """Of a name in an archive, `./a/b` as `a/b`."""
    data = PurePosixPath(name).as_posix().encode("utf-8", "surrogateescape")
    data = blake2b(data, digest_size=16).digest()
    return int.from_bytes(data[:8], "little"), int.from_bytes(data[8:], "little")
