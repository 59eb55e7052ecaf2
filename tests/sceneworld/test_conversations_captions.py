"""Captions and patch labels of a hand-made scene."""

from sceneworld import messages as m
from sceneworld.conversations import caption, is_told, patches
from sceneworld.messages import Colour, Kind, Shape, Side, Size
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


def test_a_caption_tells_sides_only_across_the_middle():
    circle, star, cross = Kind(Shape.CIRCLE), Kind(Shape.STAR), Kind(Shape.CROSS)
    assert is_told(m.AskSide(circle, Side.LEFT, star), SCENE)
    assert not is_told(m.AskSide(circle, Side.RIGHT, cross), SCENE)
    assert not is_told(m.AskSide(circle, Side.ABOVE, cross), SCENE)
    assert is_told(m.AskCount(circle), SCENE)
