"""Every message over every kind of thing, in ten languages."""

import unicodedata
from collections.abc import Iterator
from functools import partial
from itertools import product

import pytest
import regex

from sceneworld import messages as m
from sceneworld.grammar import SPOKEN, say
from sceneworld.messages import Colour, Group, Kind, Message, Region, Shape, Side, Size

# (end of a statement, end of a question)
MARKS = {
    **dict.fromkeys(("en", "es", "ru"), (".", "?")),
    **dict.fromkeys(("zh", "ja"), ("。", "？")),
    **dict.fromkeys(("hi", "bn"), ("।", "?")),
    "fr": (".", " ?"),
    "ar": (".", "؟"),
    "ur": ("۔", "؟"),
}
# Letters that must not stand outside of what stays as it is: Latin ones, and in Urdu Arabic ones
# that look like its own.
FOREIGN = dict.fromkeys(("zh", "ja", "hi", "bn"), r"[A-Za-z0-9]")
FOREIGN |= {"ur": r"[A-Za-z0-9]|[يكىه]", "ru": r"(?!\p{Script=Cyrillic})\p{L}"}
FOREIGN |= {"ar": r"(?!\p{Script=Arabic})\p{L}"}
KINDS = [Kind(*words) for words in product([None, *Shape], [None, *Colour], [None, *Size])]
# Second things that differ from the first in shape, colour and size as often as possible.
PAIRS = [(kind, KINDS[(at + by) % len(KINDS)]) for by in (7, 58) for at, kind in enumerate(KINDS)]
BOX = "[0.25, 0.00, 0.50, 0.25]"
URL = "https://example.org/shapes/circle"
ORDERS = {m.AskList(1), m.AskDetail(0), m.AskDetail(1)}


def messages_without_kind() -> Iterator[Message]:
    yield from map(m.AskList, range(2))
    yield from map(m.AskDetail, range(4))
    yield from map(m.ShortShape, Shape)
    yield from map(m.SayTotal, range(1, 7))
    yield from (m.Yes(), m.No(), m.SayBackground())


def short_answers() -> Iterator[Message]:
    """Answers of a word or two; many agree with a kind, so their texts repeat."""
    yield from map(m.ShortRegion, Region)
    for kind in KINDS:
        yield from (m.ShortColour(colour, kind) for colour in Colour)
        yield from (m.ShortSize(size, kind) for size in Size)
        yield from (m.ShortCount(count, kind) for count in range(7))


def of_one(kind: Kind) -> Iterator[Message]:
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


def of_two(kind: Kind, other: Kind) -> Iterator[Message]:
    for side in Side:
        yield m.AskSide(kind, side, other)
        yield m.SaySide(kind, side, other)
    yield m.AskMore(kind, other)
    for count in range(1, 7):
        here, there = Group(count, kind), Group(7 - count, other)
        yield m.SayMore(here, there, more=True)
        yield m.SayMore(here, there, more=False)
        yield from (m.SayThere((here, there)), m.SayThere((here, there, Group(1, other))))
        yield m.SayThere((here, there, Group(2, kind), Group(1, other)))
        yield from (m.SayList((here, there)), m.SayList((here, Group(1, other))))


LONG = [*messages_without_kind(), *(message for kind in KINDS for message in of_one(kind))]
LONG += [message for pair in PAIRS for message in of_two(*pair)]
LONG = list(dict.fromkeys(LONG))
ALL = [*LONG, *short_answers()]


@pytest.fixture(params=SPOKEN)
def lang(request):
    return request.param


@pytest.fixture(name="say")
def say_in(lang):
    return partial(say.__wrapped__, lang=lang)


def ends_in_question_mark(message: Message) -> bool:
    asks = type(message).__name__.startswith("Ask")
    return asks and message not in ORDERS and not isinstance(message, m.AskBox)


def changeable(text: str) -> str:
    """The text without URL, box and width, with the words that remain."""
    return text.replace(URL, "").replace(BOX, "").replace("48 px", "")


def test_the_sweep_holds_every_message_class():
    assert {type(message) for message in ALL} == set(Message.__subclasses__())


def test_every_text_is_whole_and_ends_in_its_one_mark(lang, say):
    foreign = regex.compile(FOREIGN.get(lang, r"\p{Script=Cyrillic}"))
    stop, mark = MARKS[lang]
    for message in ALL:
        text = say(message)
        assert text == text.strip() != "" and unicodedata.is_normalized("NFC", text), text
        assert "  " not in text and ("None" not in text or text == "None."), text
        assert not foreign.search(changeable(text)), text
        if isinstance(message, m.SayList):
            lines = text.split("\n")
            assert len(lines) == len(message.groups)
            assert all(regex.fullmatch(r"- \w[\w\p{M} ]*", line) for line in lines), text
            continue
        assert "\n" not in text
        assert text.endswith(mark if ends_in_question_mark(message) else stop), text
        assert sum(changeable(text).count(end) for end in (stop, mark)) == 1, text
        assert text[0] == text[0].upper()


def test_spanish_opens_each_question_that_it_closes():
    for message in ALL:
        text = say(message, "es")
        assert text.count("¿") == text.count("?") == text.endswith("?"), text


def test_arabic_has_no_vowel_marks_and_no_latin_punctuation():
    for message in ALL:
        text = say(message, "ar").replace(URL, "").replace(BOX, "")
        assert not regex.search(r"\p{M}|[,;?]", text), text


def test_box_width_and_address_stay_as_they_are(lang, say):
    stop = MARKS[lang][0]
    for kind in KINDS:
        assert f" {BOX}" in say(m.SayBox(kind, BOX))
        assert " 48 px" in say(m.SayWidth(kind, 48))
        url = f"https://example.org/shapes/{kind.shape or 'object'}"
        assert f" {url} {stop}" in say(m.SayLink(kind, url))


def test_different_messages_have_different_texts(say):
    texts: dict[str, Message] = {}
    for message in LONG:
        text = say(message)
        assert text not in texts, (text, message, texts[text])
        texts[text] = message
