"""Facts of hand-made scenes, and what seeded ones always hold."""

import collections

from sceneworld.messages import Colour, Group, Kind, Region, Shape, Side, Size
from sceneworld.scene import Scene, Thing, make_scene


def thing(row, column, shape=Shape.CIRCLE, colour=Colour.RED, size=Size.BIG, width_px=52):
    return Thing(row, column, shape, colour, size, width_px)


def test_the_box_is_the_drawn_extent_as_shares_with_two_decimals():
    # Column 1: centre at 96 px, from 70 to 122; row 3: centre at 224 px, from 198 to 250.
    assert thing(3, 1).extent_px == (70, 198, 122, 250)
    assert thing(3, 1).box == "[0.27, 0.77, 0.48, 0.98]"


def test_the_region_is_the_quadrant():
    assert thing(0, 1).region == Region.TOP_LEFT
    assert thing(1, 2).region == Region.TOP_RIGHT
    assert thing(2, 0).region == Region.BOTTOM_LEFT
    assert thing(3, 3).region == Region.BOTTOM_RIGHT


def test_sides_are_strict_by_column_and_row():
    one, other = thing(0, 1), thing(2, 1)
    assert [side for side in Side if one.lies(side, other)] == [Side.ABOVE]
    assert [side for side in Side if other.lies(side, one)] == [Side.BELOW]
    assert [side for side in Side if thing(0, 0).lies(side, one)] == [Side.LEFT]
    assert [side for side in Side if thing(0, 3).lies(side, one)] == [Side.RIGHT]


def test_smallest_names_single_out_one_thing_and_need_every_word():
    big_red = thing(0, 0)
    small_red = thing(0, 1, size=Size.SMALL, width_px=26)
    blue_square = thing(1, 1, Shape.SQUARE, Colour.BLUE)
    scene = Scene("x", (big_red, small_red, blue_square))
    assert scene.smallest_names[small_red] == (Kind(size=Size.SMALL),)
    assert scene.smallest_names[blue_square] == (Kind(Shape.SQUARE), Kind(colour=Colour.BLUE))
    assert scene.smallest_names[big_red] == (
        Kind(Shape.CIRCLE, size=Size.BIG),
        Kind(colour=Colour.RED, size=Size.BIG),
    )


def test_twins_have_no_name():
    scene = Scene("x", (thing(0, 0), thing(0, 1)))
    assert scene.smallest_names[scene.things[0]] == ()


def test_groups_count_by_colour_and_shape_in_raster_order():
    scene = Scene("x", (thing(0, 0, Shape.STAR), thing(0, 1), thing(3, 3, size=Size.SMALL)))
    assert scene.groups == (
        Group(1, Kind(Shape.STAR, Colour.RED)),
        Group(2, Kind(Shape.CIRCLE, Colour.RED)),
    )


def test_a_scene_depends_on_seed_and_id_alone():
    assert make_scene("a/1", 7) == make_scene("a/1", 7)
    assert make_scene("a/1", 7).things != make_scene("a/1", 8).things
    assert make_scene("a/1", 7).things != make_scene("a/2", 7).things


def test_a_taken_scene_is_made_anew():
    taken = set()
    first = make_scene("a/1", 7, taken)
    second = make_scene("a/1", 7, taken)
    assert taken == {first.things, second.things}
    assert len(taken) == 2


def test_seeded_scenes_keep_to_the_grid_and_repeat_kinds_one_to_four_times():
    repeats = collections.Counter()
    for number in range(400):
        scene = make_scene(f"s/{number}", 3)
        cells = [(one.row, one.column) for one in scene.things]
        assert 2 <= len(cells) <= 5
        assert cells == sorted(set(cells))
        assert all(0 <= place < 4 for cell in cells for place in cell)
        for kinds in ([Kind(s) for s in Shape], [Kind(colour=c) for c in Colour]):
            assert max(scene.count(kind) for kind in kinds) <= 4
        repeats[max(group.count for group in scene.groups)] += 1
    assert set(repeats) == {1, 2, 3, 4}
