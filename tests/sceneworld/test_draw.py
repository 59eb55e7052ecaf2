"""Pixels against facts."""

import itertools

import numpy as np
import pytest
from PIL import Image

from sceneworld.draw import BACKGROUND, INKS, draw, save_picture
from sceneworld.messages import Colour, Shape, Size
from sceneworld.scene import CELL_PX, WIDTHS_PX, Scene, Thing, make_scene

WIDTHS = [(size, width_px) for size, widths in WIDTHS_PX.items() for width_px in widths]
PALETTE = [*INKS.values(), BACKGROUND]


@pytest.mark.parametrize("shape", Shape)
@pytest.mark.parametrize(("size", "width_px"), WIDTHS)
def test_the_inked_pixels_fill_exactly_the_stated_extent(shape, size, width_px):
    thing = Thing(2, 1, shape, Colour.BLACK, size, width_px)
    pixels = np.asarray(draw(Scene("x", (thing,))), dtype=int)
    # A tip covers only part of its last pixel: any ink counts.
    rows, columns = np.where((pixels != BACKGROUND).any(axis=2))
    found = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    assert found == thing.extent_px


def test_every_cell_centre_has_its_colour_after_jpeg_and_the_rest_is_background(tmp_path):
    for number in range(20):
        scene = make_scene(f"d/{number}", 1)
        save_picture(scene, tmp_path / "x.jpg")
        picture = Image.open(tmp_path / "x.jpg")
        assert (picture.format, picture.size, picture.mode) == ("JPEG", (256, 256), "RGB")
        pixels = np.asarray(picture, dtype=int)
        inks = {(thing.row, thing.column): INKS[thing.colour] for thing in scene.things}
        for row, column in itertools.product(range(4), repeat=2):
            centre = pixels[row * CELL_PX + CELL_PX // 2, column * CELL_PX + CELL_PX // 2]
            nearest = min(PALETTE, key=lambda ink: np.abs(centre - ink).sum())
            assert nearest == inks.get((row, column), BACKGROUND)


def test_colours_stay_apart():
    gaps = [np.abs(np.subtract(a, b)).sum() for a, b in itertools.combinations(PALETTE, 2)]
    assert min(gaps) >= 90


def test_shapes_stay_apart_after_a_resize_to_64_pixels():
    def small_cell(shape):
        thing = Thing(0, 0, shape, Colour.BLACK, Size.SMALL, min(WIDTHS_PX[Size.SMALL]))
        picture = draw(Scene("x", (thing,))).resize((64, 64), Image.Resampling.BICUBIC)
        return np.asarray(picture.convert("L"), dtype=int)[:16, :16]

    cells = [small_cell(shape) for shape in Shape]
    gaps = [np.abs(a - b).sum() / 255 for a, b in itertools.combinations(cells, 2)]
    # In whole pixels of ink; a small thing is about six pixels wide here.
    assert min(gaps) >= 7
