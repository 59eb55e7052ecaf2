"""English as the docstrings of messages.py spell it."""

import pytest

from sceneworld import messages as m
from sceneworld.grammar import say_turn
from sceneworld.grammar.en import say
from sceneworld.messages import Colour, Group, Kind, Region, Shape, Side, Size

CIRCLE = Kind(Shape.CIRCLE)
RED_CIRCLE = Kind(Shape.CIRCLE, Colour.RED)
BLUE_SQUARE = Kind(Shape.SQUARE, Colour.BLUE)
SQUARE = Kind(Shape.SQUARE)

CASES = [
    (m.AskColour(Kind(Shape.CIRCLE, size=Size.SMALL)), "What colour is the small circle?"),
    (m.AskShape(Kind(colour=Colour.RED)), "What shape is the red object?"),
    (m.AskSize(RED_CIRCLE), "Is the red circle big or small?"),
    (m.AskCount(RED_CIRCLE), "How many red circles are there?"),
    (m.AskCount(Kind(Shape.CROSS)), "How many crosses are there?"),
    (m.AskCount(Kind()), "How many objects are there?"),
    (m.AskRegion(RED_CIRCLE), "Where is the red circle?"),
    (m.AskExists(Kind(Shape.STAR, Colour.ORANGE)), "Is there an orange star in the picture?"),
    (
        m.AskSide(RED_CIRCLE, Side.LEFT, BLUE_SQUARE),
        "Is the red circle to the left of the blue square?",
    ),
    (m.AskList(0), "What do you see in the picture?"),
    (m.AskList(1), "List all the objects in the picture."),
    (m.AskDetail(3), "Can you describe the picture in detail?"),
    (m.AskMore(CIRCLE, SQUARE), "Are there more circles than squares?"),
    (m.AskLeft(RED_CIRCLE), "If one red circle is removed, how many red circles are left?"),
    (m.AskBox(RED_CIRCLE), "Give the bounding box of the red circle."),
    (m.AskWidth(RED_CIRCLE), "How wide is the red circle?"),
    (m.AskLink(CIRCLE), "Where can I read more about circles?"),
    (m.ShortColour(Colour.RED, CIRCLE), "Red."),
    (m.ShortShape(Shape.CIRCLE), "A circle."),
    (m.ShortSize(Size.BIG, CIRCLE), "Big."),
    (m.ShortCount(2, CIRCLE), "Two."),
    (m.ShortCount(0, CIRCLE), "None."),
    (m.ShortRegion(Region.TOP_LEFT), "In the top left corner."),
    (m.Yes(), "Yes."),
    (m.No(), "No."),
    (m.SayColour(CIRCLE, Colour.RED), "The circle is red."),
    (m.SayShape(Kind(colour=Colour.RED), Shape.CIRCLE), "The red object is a circle."),
    (m.SaySize(RED_CIRCLE, Size.BIG), "The red circle is big."),
    (m.SayThere((Group(2, RED_CIRCLE),)), "There are two red circles in the picture."),
    (
        m.SayThere((Group(1, RED_CIRCLE), Group(2, SQUARE), Group(1, Kind(Shape.STAR)))),
        "There is a red circle, two squares and a star in the picture.",
    ),
    (m.SayNone(RED_CIRCLE), "There are no red circles in the picture."),
    (m.SayTotal(3), "The picture shows three objects in total."),
    (m.SayTotal(1), "The picture shows one object in total."),
    (
        m.SayRegion(RED_CIRCLE, Region.TOP_LEFT),
        "The red circle is in the top left corner.",
    ),
    (m.SaySide(RED_CIRCLE, Side.ABOVE, BLUE_SQUARE), "The red circle is above the blue square."),
    (m.SayBackground(), "The background is white and nothing else can be seen."),
    (
        m.SayMore(Group(3, CIRCLE), Group(1, SQUARE), more=True),
        "Yes, there are more circles than squares: three circles and one square.",
    ),
    (
        m.SayMore(Group(1, CIRCLE), Group(3, SQUARE), more=False),
        "No, there are not more circles than squares: one circle and three squares.",
    ),
    (m.SayLeft(RED_CIRCLE, 3), "There are three red circles, so two red circles are left."),
    (m.SayLeft(RED_CIRCLE, 2), "There are two red circles, so one red circle is left."),
    (m.SayLeft(RED_CIRCLE, 1), "There is one red circle, so no red circles are left."),
    (
        m.SayBox(RED_CIRCLE, "[0.25, 0.00, 0.50, 0.25]"),
        "The red circle is in the box [0.25, 0.00, 0.50, 0.25].",
    ),
    (m.SayWidth(RED_CIRCLE, 48), "The red circle is 48 px wide."),
    (
        m.SayLink(CIRCLE, "https://example.org/shapes/circle"),
        "You can read more about circles at https://example.org/shapes/circle .",
    ),
    (
        m.SayList((Group(1, RED_CIRCLE), Group(2, BLUE_SQUARE))),
        "- a red circle\n- two blue squares",
    ),
]


@pytest.mark.parametrize(("message", "text"), CASES, ids=[text for _, text in CASES])
def test_english_says_every_message_as_documented(message, text):
    assert say(message) == text


def test_the_cases_cover_every_message_class():
    assert {type(message) for message, _ in CASES} == set(m.Message.__subclasses__())


def test_a_message_that_is_no_message_is_refused():
    with pytest.raises(TypeError, match="English cannot say Message"):
        say(m.Message())


def test_sentences_join_with_a_space_but_not_in_chinese_and_japanese():
    turn = (m.Yes(), m.SayTotal(2))
    assert say_turn(turn, "en") == "Yes. The picture shows two objects in total."
    for lang in ("zh", "ja"):
        assert say_turn(turn, lang) == say_turn(turn[:1], lang) + say_turn(turn[1:], lang)


def test_a_list_stands_on_its_own_lines():
    turn = (m.Yes(), m.SayList((Group(1, CIRCLE),)), m.No())
    assert say_turn(turn, "en") == "Yes.\n- a circle\nNo."


def test_an_unknown_language_is_no_grammar():
    with pytest.raises(ValueError, match="'xx' is not a valid Language"):
        say_turn((m.Yes(),), "xx")
