"""The table of exact translations."""

import json

import pytest

from palo.languages import TARGETS
from sceneworld import messages as m
from sceneworld.grammar import say_turn
from sceneworld.messages import Colour, Kind, Shape
from sceneworld.truth import add_turn, load_truth, rows, with_image_as_in, without_image


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("<image>\nWhere?", "Where?"),
        ("Where?\n<image>", "Where?"),
        ("Where?", "Where?"),
        ("Line\nWhere?\n<image>", "Line\nWhere?"),
        ("About <image> tags", "About <image> tags"),
    ],
)
def test_the_tag_goes_with_its_line_break_and_comes_back_where_it_was(text, plain):
    assert without_image(text) == plain
    assert with_image_as_in(plain, text) == text


def test_context_decides_between_translations_of_one_answer():
    circle, star = Kind(Shape.CIRCLE), Kind(Shape.STAR)
    truth = {}
    for kind in (circle, star):
        question = say_turn((m.AskColour(kind),), "en")
        add_turn(truth, question, (m.ShortColour(Colour.BLACK, kind),))
    assert truth["What colour is the circle?", "Black."]["fr"] == "Noir."
    assert truth["What colour is the star?", "Black."]["fr"] == "Noire."


def test_two_translations_of_one_text_after_one_question_are_an_error():
    truth = {}
    add_turn(truth, "", (m.ShortColour(Colour.BLACK, Kind(Shape.CIRCLE)),))
    with pytest.raises(AssertionError, match=r"two translations of 'Black\.' after ''"):
        add_turn(truth, "", (m.ShortColour(Colour.BLACK, Kind(Shape.STAR)),))


def test_rows_come_back_as_they_were_written(tmp_path):
    truth = {}
    add_turn(truth, "Is there a star in the picture?", (m.Yes(), m.SayTotal(2)))
    path = tmp_path / "truth.jsonl"
    written = list(rows(truth))
    assert list(written[0]) == ["context", "en", *TARGETS]
    path.write_text(json.dumps(written[0], ensure_ascii=False) + "\n", encoding="utf-8")
    assert load_truth(path) == truth
