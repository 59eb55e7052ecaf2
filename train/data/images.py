"""Pictures into pixel values: padded to a square with the mean colour, then CLIP's processor.

The PIL processor is pinned, for training and for serving: the torchvision one differs by up to
.028 (docs of the house, measured).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image, UnidentifiedImageError

if TYPE_CHECKING:
    import torch

# OPENAI_CLIP_MEAN, as whole 0-255 values: what the published code pads with.
MEAN_COLOUR = (122, 116, 104)


class UnreadableImage(ValueError):
    """A picture that cannot be had; the message is the reason, path included."""


def load_picture(path: Path) -> Image.Image:
    """The picture as RGB, wholly decoded. Raises UnreadableImage."""
    try:
        with Image.open(path) as image:
            return image.convert("RGB")
    except FileNotFoundError:
        raise UnreadableImage(f"no image {path}") from None
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise UnreadableImage(f"cannot read image {path}: {error}") from None
    except Image.DecompressionBombError as error:
        raise UnreadableImage(f"image {path} is too large: {error}") from None


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
