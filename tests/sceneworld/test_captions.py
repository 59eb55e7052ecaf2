"""Captions and patch labels of a hand-made scene."""

from sceneworld.captions import caption, patches
from sceneworld.messages import Colour, Shape, Size
from sceneworld.scene import Scene, Thing

SCENE = Scene(
    "x",
    (
        Thing(0, 1, Shape.CIRCLE, Colour.RED, Size.BIG, 52),
        Thing(0, 3, Shape.STAR, Colour.ORANGE, Size.SMALL, 26),
        Thing(1, 0, Shape.CROSS, Colour.BLACK, Size.BIG, 50),
    ),
)


def test_the_caption_names_every_object_in_raster_order():
    assert caption(SCENE) == (
        "A big red circle in the top left corner, a small orange star in the top right corner, "
        "a big black cross in the top left corner."
    )


def test_patches_name_the_content_of_the_sixteen_cells():
    cells = patches(SCENE)
    assert cells[:5] == ["", "big red circle", "", "small orange star", "big black cross"]
    assert cells[5:] == [""] * 11
