import numpy as np
import pytest
import torch
from PIL import Image

from train.data.images import (
    MEAN_COLOUR,
    UnreadableImage,
    load_picture,
    make_processor,
    pad_to_square,
    pixel_values,
)


def published_expand2square(image, colour):
    """The rule of the published preprocessing, written out on arrays."""
    array = np.asarray(image)
    height, width, _ = array.shape
    side = max(height, width)
    square = np.full((side, side, 3), colour, dtype=np.uint8)
    top, left = (side - height) // 2, (side - width) // 2
    square[top : top + height, left : left + width] = array
    return square


@pytest.mark.parametrize("size", [(40, 25), (25, 40), (33, 33), (1, 7)])
def test_pad_to_square_follows_the_published_rule(size):
    width, height = size
    pixels = np.random.default_rng(1).integers(0, 256, (height, width, 3), dtype=np.uint8)
    padded = pad_to_square(Image.fromarray(pixels))
    np.testing.assert_array_equal(np.asarray(padded), published_expand2square(pixels, MEAN_COLOUR))


def test_the_mean_colour_is_the_processors_mean():
    assert tuple(int(x * 255) for x in make_processor(64).image_mean) == MEAN_COLOUR


def test_padding_becomes_nearly_zero_and_nothing_is_cropped():
    image = Image.new("RGB", (64, 32), (255, 0, 0))
    values = pixel_values([image], make_processor(64))
    assert values.shape == (1, 3, 64, 64)
    assert values.dtype == torch.float32
    assert values[0, :, :8].abs().max() < 0.02
    assert values[0, 0, 32].min() > 1.9


def test_our_padding_equals_the_processors_own():
    pixels = np.random.default_rng(2).integers(0, 256, (30, 50, 3), dtype=np.uint8)
    image, processor = Image.fromarray(pixels), make_processor(64)
    theirs = processor([image], return_tensors="pt")["pixel_values"]
    torch.testing.assert_close(pixel_values([image], processor), theirs)


def test_a_missing_image_is_named(tmp_path):
    with pytest.raises(UnreadableImage, match=r"no image .*gone\.jpg"):
        load_picture(tmp_path / "gone.jpg")


@pytest.mark.parametrize("share", [0.0, 0.01, 0.6])
def test_a_broken_image_is_named(tmp_path, share):
    whole = tmp_path / "whole.jpg"
    noise = np.random.default_rng(3).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(whole)
    data = whole.read_bytes()
    (tmp_path / "broken.jpg").write_bytes(data[: int(share * len(data))])
    with pytest.raises(UnreadableImage, match=r"cannot read image .*broken\.jpg"):
        load_picture(tmp_path / "broken.jpg")


def test_a_grey_picture_becomes_rgb(tmp_path):
    Image.new("L", (5, 5), 9).save(tmp_path / "grey.png")
    assert load_picture(tmp_path / "grey.png").getpixel((2, 2)) == (9, 9, 9)
