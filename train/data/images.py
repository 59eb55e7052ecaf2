"""Pictures into pixel values: padded to a square with the mean colour, then CLIP's processor.

The PIL processor is pinned, for training and for serving: the torchvision one differs by up to
.028 (docs of the house, measured).
"""

import json
import os
import warnings
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from PIL import Image, ImageFile, UnidentifiedImageError

from palo.errors import UserError
from train.data.image_store import UnreadableImage, stored

if TYPE_CHECKING:
    import torch

# OPENAI_CLIP_MEAN, as whole 0-255 values: what the published code pads with.
MEAN_COLOUR = (122, 116, 104)


def load_picture(path: Path) -> Image.Image:
    """The picture as RGB, wholly decoded, from its folder or an archive in the folder's place.

    Raises UnreadableImage.
    """
    try:
        with _opened(path) as file:
            return _decoded(file)
    except (UnreadableImage, MemoryError):
        raise
    except Exception as error:  # PIL's readers raise nearly anything on damaged files
        raise UnreadableImage(f"cannot read image {path}: {_reason(error)}") from None


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except (FileNotFoundError, NotADirectoryError):
        member = stored(path)
    if member is None:
        raise UnreadableImage(f"no image {path}")
    return BytesIO(member.read())


def _decoded(file: BinaryIO) -> Image.Image:
    ImageFile.LOAD_TRUNCATED_IMAGES = False  # other libraries switch it on: half a picture is grey
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # odd metadata is no fault of the picture
        # from 89 million pixels on, where PIL only warns until twice as many
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with Image.open(file) as image:
            return _as_rgb(image)


def _as_rgb(image: Image.Image) -> Image.Image:
    """What a viewer shows: transparency on white, 16 bits a channel scaled to 8."""
    if image.mode.startswith("I"):  # PIL would clip everything above 255 to white
        return image.convert("I").point(lambda value: value * (1 / 256)).convert("RGB")
    if image.has_transparency_data:
        clear = image.convert("RGBA")
        white = Image.new("RGBA", clear.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, clear).convert("RGB")
    return image.convert("RGB")


def _reason(error: Exception) -> str:
    """Without what differs from run to run, such as an object's address."""
    if isinstance(error, UnidentifiedImageError):
        return "it is empty or no image"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error)


class ImageLosses:
    """Samples whose image could not be had: a line of JSON each, fatal above a share.

    `total` is how many samples with an image the stage has. Workers get copies that write to the
    same file; only the process that starts a run gives `fresh`.
    """

    def __init__(self, path: Path, limit: float, total: int, fresh: bool = True) -> None:
        self.path, self.limit, self.total = path, limit, total
        self._rows: dict[tuple[str, str], dict[str, str]] = {}
        self._read_bytes = 0
        path.parent.mkdir(parents=True, exist_ok=True)
        if fresh:
            path.write_bytes(b"")

    def add(self, sample_id: str, lang: str, image: object, reason: str) -> None:
        row = {"id": sample_id, "lang": lang, "image": str(image), "reason": reason}
        # Names out of archives may hold bytes that are no UTF-8; JSON's escapes keep them.
        line = json.dumps(row).encode("ascii") + b"\n"
        file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(file, line)  # one write of one line: never mixed with another process's
        finally:
            os.close(file)

    def read(self) -> list[dict[str, str]]:
        """Each sample once, though an epoch later it was met again; in order of id and language."""
        if self.path.is_file():
            with self.path.open("rb") as file:
                file.seek(self._read_bytes)
                new = file.read()
            whole = new.rfind(b"\n") + 1  # another process may be writing the next line
            self._read_bytes += whole
            for line in new[:whole].splitlines():
                row = json.loads(line)
                self._rows.setdefault((row["id"], row["lang"]), row)
        return [self._rows[key] for key in sorted(self._rows)]

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


def pad_to_square(image: Image.Image, colour: tuple[int, int, int] = MEAN_COLOUR) -> Image.Image:
    """The picture centred on a square of its longer side (LLaVA's `expand2square`)."""
    width, height = image.size
    if width == height:
        return image
    side = max(width, height)
    square = Image.new("RGB", (side, side), colour)
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
