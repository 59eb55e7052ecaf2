"""Every message over every kind, in French, Spanish, Russian and Arabic."""

import unicodedata
from collections.abc import Callable, Iterator
from itertools import product

import pytest
import regex

from sceneworld import messages as m
from sceneworld.grammar import ar, es, fr, ru
from sceneworld.messages import Colour, Group, Kind, Message, Region, Shape, Side, Size

GRAMMARS = {"fr": fr.say, "es": es.say, "ru": ru.say, "ar": ar.say}
KINDS = [
    Kind(shape, colour, size)
    for shape, colour, size in product([None, *Shape], [None, *Colour], [None, *Size])
]
BOX = "[0.25, 0.00, 0.50, 0.25]"
URL = "https://example.org/shapes/circle"
ORDERS = {m.AskList(1), m.AskDetail(0), m.AskDetail(1)}


def messages_without_kind() -> Iterator[Message]:
    yield from (m.AskList(variant) for variant in range(2))
    yield from (m.AskDetail(variant) for variant in range(4))
    yield from (m.ShortShape(shape) for shape in Shape)
    yield from (m.ShortRegion(region) for region in Region)
    yield from (m.SayTotal(count) for count in range(1, 7))
    yield from (m.Yes(), m.No(), m.SayBackground())


def short_answers(kind: Kind) -> Iterator[Message]:
    yield from (m.ShortColour(colour, kind) for colour in Colour)
    yield from (m.ShortSize(size, kind) for size in Size)
    yield from (m.ShortCount(count, kind) for count in range(7))


def long_messages(kind: Kind) -> Iterator[Message]:
    """Messages that name the kind in full."""
    asks = (m.AskColour, m.AskShape, m.AskSize, m.AskCount, m.AskRegion, m.AskExists, m.AskLeft)
    yield from (ask(kind) for ask in (*asks, m.AskBox, m.AskWidth, m.AskLink, m.SayNone))
    yield from (m.SayColour(kind, colour) for colour in Colour)
    yield from (m.SayShape(kind, shape) for shape in Shape)
    yield from (m.SaySize(kind, size) for size in Size)
    yield from (m.SayRegion(kind, region) for region in Region)
    yield from (m.SayBox(kind, BOX), m.SayWidth(kind, 48), m.SayLink(kind, URL))
    for count in range(1, 7):
        yield m.SayLeft(kind, count)
        yield m.SayThere((Group(count, kind),))
        yield m.SayList((Group(count, kind),))


def pairs(kind: Kind, other: Kind) -> Iterator[Message]:
    for side in Side:
        yield m.AskSide(kind, side, other)
        yield m.SaySide(kind, side, other)
    yield m.AskMore(kind, other)
    for count in range(1, 7):
        here, there = Group(count, kind), Group(7 - count, other)
        yield m.SayMore(here, there, more=True)
        yield m.SayMore(here, there, more=False)
        yield m.SayThere((here, there, Group(2, kind), Group(1, other)))
        yield m.SayList((here, there))


def all_messages() -> Iterator[Message]:
    yield from messages_without_kind()
    for kind, other in zip(KINDS, KINDS[7:] + KINDS[:7], strict=True):
        yield from short_answers(kind)
        yield from long_messages(kind)
        yield from pairs(kind, other)


ALL = list(all_messages())


@pytest.fixture(params=list(GRAMMARS))
def lang(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def say(lang: str) -> Callable[[Message], str]:
    return GRAMMARS[lang]


def final_mark(message: Message, lang: str) -> str:
    asks = type(message).__name__.startswith("Ask")
    if not asks or message in ORDERS or isinstance(message, m.AskBox):
        return "."
    return {"fr": " ?", "ar": "؟"}.get(lang, "?")


def test_the_sweep_holds_every_message_class() -> None:
    assert {type(message) for message in ALL} == set(Message.__subclasses__())


def test_every_text_is_whole_and_ends_in_its_mark(lang: str, say: Callable[[Message], str]) -> None:
    for message in ALL:
        text = say(message)
        assert text == text.strip() == unicodedata.normalize("NFC", text)
        assert "None" not in text and "  " not in text
        if isinstance(message, m.SayList):
            lines = text.split("\n")
            assert len(lines) == len(message.groups)
            assert all(regex.fullmatch(r"- \w[\w ]*", line) for line in lines), text
        else:
            assert "\n" not in text
            assert text.endswith(final_mark(message, lang)), text
            assert text.startswith("¿") or text[0] == text[0].upper()


def test_spanish_opens_each_question_that_it_closes() -> None:
    for message in ALL:
        text = es.say(message)
        assert text.count("¿") == text.count("?") == text.endswith("?"), text


@pytest.mark.parametrize(("lang", "script"), [("ru", "Cyrillic"), ("ar", "Arabic")])
def test_letters_are_of_the_script_outside_what_stays_as_it_is(lang: str, script: str) -> None:
    for message in ALL:
        text = GRAMMARS[lang](message).replace(URL, "").replace("48 px", "")
        assert not regex.search(rf"(?!\p{{Script={script}}})\p{{L}}", text), text


def test_arabic_has_no_vowel_marks_and_no_latin_punctuation() -> None:
    for message in ALL:
        text = ar.say(message).replace(URL, "").replace(BOX, "")
        assert not regex.search(r"\p{M}|[,;?]", text), text


def test_box_width_and_address_stay_as_they_are(say: Callable[[Message], str]) -> None:
    for kind in KINDS:
        assert f" {BOX}" in say(m.SayBox(kind, BOX))
        assert " 48 px" in say(m.SayWidth(kind, 48))
        assert f" {URL} ." in say(m.SayLink(kind, URL))


def test_different_messages_have_different_texts(say: Callable[[Message], str]) -> None:
    long = list(messages_without_kind())
    for kind, other in zip(KINDS, KINDS[7:] + KINDS[:7], strict=True):
        long.extend((*long_messages(kind), *pairs(kind, other)))
    assert len({say(message) for message in long}) == len(set(long))


def test_an_unknown_message_is_refused(say: Callable[[Message], str]) -> None:
    with pytest.raises(TypeError, match="has no sentence for"):
        say(Message())
