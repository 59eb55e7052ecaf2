import json
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest
import torch
from PIL import Image, ImageFile

from palo.errors import UserError
from train.data.images import (
    MEAN_COLOUR,
    ImageLosses,
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


def saved(tmp_path, image, name="a.png", **kwargs):
    image.save(tmp_path / name, **kwargs)
    return load_picture(tmp_path / name)


def test_other_colour_spaces_look_as_a_viewer_shows_them(tmp_path):
    red = (255, 0, 0)
    palette = Image.new("P", (4, 4), 1)
    palette.putpalette([0, 255, 0, *red])
    assert saved(tmp_path, palette).getpixel((0, 0)) == red
    assert saved(tmp_path, palette, "a.gif").getpixel((0, 0)) == red
    cyan = Image.new("CMYK", (16, 16), (255, 0, 0, 0))
    assert saved(tmp_path, cyan, "a.jpg", quality=100).getpixel((0, 0)) == (0, 255, 255)
    grey16 = Image.fromarray(np.full((4, 4), 0x80FF, np.uint16))
    assert saved(tmp_path, grey16).getpixel((0, 0)) == (128, 128, 128)
    assert saved(tmp_path, Image.new("1", (4, 4), 1)).getpixel((0, 0)) == (255, 255, 255)
    assert saved(tmp_path, Image.new("RGB", (4, 4), red)).getpixel((0, 0)) == red


def test_transparency_shows_white(tmp_path):
    half = Image.new("RGBA", (4, 4), (255, 0, 0, 0))
    half.putpixel((1, 1), (255, 0, 0, 255))
    got = saved(tmp_path, half)
    assert (got.mode, got.getpixel((0, 0)), got.getpixel((1, 1))) == (
        "RGB",
        (255, 255, 255),
        (255, 0, 0),
    )
    grey = Image.new("LA", (4, 4), (0, 0))
    assert saved(tmp_path, grey).getpixel((0, 0)) == (255, 255, 255)
    palette = Image.new("P", (4, 4), 0)
    palette.putpalette([0, 0, 0, 255, 0, 0])
    palette.putpixel((1, 1), 1)
    got = saved(tmp_path, palette, transparency=b"\x00\xff")
    assert (got.getpixel((0, 0)), got.getpixel((1, 1))) == ((255, 255, 255), (255, 0, 0))


def test_half_a_picture_is_broken_whatever_another_library_switched_on(tmp_path, monkeypatch):
    noise = np.random.default_rng(3).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "whole.jpg")
    (tmp_path / "half.jpg").write_bytes((tmp_path / "whole.jpg").read_bytes()[:3000])
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    with pytest.raises(UnreadableImage, match="truncated"):
        load_picture(tmp_path / "half.jpg")


def test_a_decompression_bomb_is_broken(tmp_path, monkeypatch):
    Image.new("L", (300, 300)).save(tmp_path / "bomb.png")
    for limit in (89_999, 40_000):  # PIL warns of the first, refuses the second
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
        with pytest.raises(UnreadableImage, match=r"bomb\.png: Image size \(90000 pixels\)"):
            load_picture(tmp_path / "bomb.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 90_000)
    assert load_picture(tmp_path / "bomb.png").size == (300, 300)


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "it is empty or no image"), (b"<html>", "it is empty or no image")],
)
def test_no_image_is_named_with_the_same_words_each_time(tmp_path, content, reason):
    (tmp_path / "a.jpg").write_bytes(content)
    with pytest.raises(UnreadableImage) as error:
        load_picture(tmp_path / "a.jpg")
    assert str(error.value) == f"cannot read image {tmp_path / 'a.jpg'}: {reason}"


def test_damaged_headers_of_any_kind_end_in_a_reason(tmp_path):
    rng = np.random.default_rng(5)
    noise = Image.fromarray(rng.integers(0, 256, (24, 24, 3), dtype=np.uint8))
    for form in ("PNG", "JPEG", "GIF", "TIFF", "BMP", "WEBP"):
        path = tmp_path / f"a.{form.lower()}"
        noise.save(path, form)
        data = path.read_bytes()
        for _ in range(60):
            hurt = bytearray(data)
            for at in rng.integers(0, min(len(hurt), 120), 4):
                hurt[at] = rng.integers(0, 256)
            path.write_bytes(hurt)
            try:
                assert load_picture(path).mode == "RGB"
            except UnreadableImage as error:
                assert str(path) in str(error)


def test_a_folder_or_an_impossible_name_is_no_image(tmp_path):
    (tmp_path / "a.jpg").mkdir()
    for name in ("a.jpg", "x" * 300, "a\0b", "\ud800.jpg"):
        with pytest.raises(UnreadableImage):
            load_picture(tmp_path / name)


def lose(losses, number):
    losses.add(f"s{number}", "ur", f"/x/{number}.jpg", "no image تصویر " * 50)


def test_losses_of_workers_come_together_each_once(tmp_path):
    losses = ImageLosses(tmp_path / "new" / "lost.jsonl", limit=0.5, total=1000)
    with ProcessPoolExecutor(2, mp_context=get_context("fork")) as pool:
        list(pool.map(lose, [losses] * 400, [*range(200), *range(200)]))
    rows = losses.read()
    assert [row["id"] for row in rows] == sorted(f"s{number}" for number in range(200))
    assert rows[0] == {
        "id": "s0",
        "lang": "ur",
        "image": "/x/0.jpg",
        "reason": "no image تصویر " * 50,
    }
    losses.add("s0", "hi", "/x/0.jpg", "no image")  # the same sample in another language
    assert len(losses.read()) == 201


def test_losses_above_the_share_are_fatal_and_named(tmp_path):
    losses = ImageLosses(tmp_path / "lost.jsonl", limit=0.01, total=200)
    for number in range(2):
        lose(losses, number)
        lose(losses, number)
    losses.check()
    losses.add("s9", "hi", "/x/9.jpg", "cannot read image /x/9.jpg: it is empty or no image")
    with pytest.raises(UserError) as error:
        losses.check()
    said = str(error.value)
    assert said.startswith(
        "3 of 200 samples with an image (1.5%) have none that can be read; "
        "max_broken_images allows 1.0%. First: s0 (ur): no image"
    )
    assert "s9 (hi): cannot read image /x/9.jpg" in said
    assert f"listed in {tmp_path / 'lost.jsonl'}" in said
    assert "palo images verify" in said


def test_one_loss_is_fatal_where_none_is_allowed_and_none_where_there_are_no_images(tmp_path):
    losses = ImageLosses(tmp_path / "lost.jsonl", limit=0.0, total=10)
    losses.check()
    losses.add("a", "en", None, "no image")
    with pytest.raises(UserError, match=r"1 of 10 samples .* allows 0\.0%"):
        losses.check()
    ImageLosses(tmp_path / "none.jsonl", limit=0.0, total=0).check()


def test_a_fresh_run_starts_a_fresh_list_and_a_line_being_written_waits(tmp_path):
    path = tmp_path / "lost.jsonl"
    lose(ImageLosses(path, 0.1, 10), 1)
    assert len(ImageLosses(path, 0.1, 10, fresh=False).read()) == 1
    losses = ImageLosses(path, 0.1, 10)
    assert losses.read() == []
    line = json.dumps({"id": "a", "lang": "en", "image": "a", "reason": "b"})
    path.write_text(line[:10], "utf-8")
    assert losses.read() == []
    path.write_text(line + "\n", "utf-8")
    assert [row["id"] for row in losses.read()] == ["a"]
