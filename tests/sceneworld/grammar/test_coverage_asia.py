"""Every message, over all kinds of things, in Chinese, Japanese, Hindi, Urdu and Bengali."""

import itertools
import re
import unicodedata
from collections.abc import Callable, Iterator

import pytest

from sceneworld import messages as m
from sceneworld.grammar import bn, hi, ja, ur, zh

Say = Callable[[m.Message], str]

SAYS: dict[str, Say] = {"zh": zh.say, "ja": ja.say, "hi": hi.say, "ur": ur.say, "bn": bn.say}
# (end of a statement, end of a question)
MARKS = {
    "zh": ("。", "？"),
    "ja": ("。", "？"),
    "hi": ("।", "?"),
    "ur": ("۔", "؟"),
    "bn": ("।", "?"),
}
BOX = "[0.25, 0.00, 0.50, 0.25]"
KINDS = [
    m.Kind(shape, colour, size)
    for shape, colour, size in itertools.product(
        (None, *m.Shape), (None, *m.Colour), (None, *m.Size)
    )
]
# A second thing that differs from the first in shape, colour and size as often as possible.
PAIRS = list(zip(KINDS, KINDS[58:] + KINDS[:58], strict=True))


def questions() -> Iterator[m.Message]:
    """Every message that ends with a question mark."""
    yield from (m.AskList(0), m.AskDetail(2), m.AskDetail(3))
    for kind, other in PAIRS:
        yield from (m.AskColour(kind), m.AskShape(kind), m.AskSize(kind), m.AskCount(kind))
        yield from (m.AskRegion(kind), m.AskExists(kind), m.AskMore(kind, other))
        yield from (m.AskLeft(kind), m.AskWidth(kind), m.AskLink(kind))
        yield from (m.AskSide(kind, side, other) for side in m.Side)


def short_answers() -> Iterator[m.Message]:
    """Every answer of a word or two; many agree with a kind, so their texts repeat."""
    yield from (m.Yes(), m.No())
    yield from map(m.ShortShape, m.Shape)
    yield from map(m.ShortRegion, m.Region)
    for kind in KINDS:
        yield from (m.ShortColour(colour, kind) for colour in m.Colour)
        yield from (m.ShortSize(size, kind) for size in m.Size)
        yield from (m.ShortCount(count, kind) for count in range(7))


def statements() -> Iterator[m.Message]:
    """Every other sentence that ends with a full stop."""
    yield from (m.AskList(1), m.AskDetail(0), m.AskDetail(1), m.SayBackground())
    yield from map(m.SayTotal, range(1, 7))
    for kind, other in PAIRS:
        yield from (m.AskBox(kind), m.SayNone(kind), m.SayBox(kind, BOX), m.SayWidth(kind, 48))
        yield m.SayLink(kind, "https://example.org/shapes/circle")
        yield from (m.SayColour(kind, colour) for colour in m.Colour if kind.colour is None)
        yield from (m.SayShape(kind, shape) for shape in m.Shape if kind.shape is None)
        yield from (m.SaySize(kind, size) for size in m.Size if kind.size is None)
        yield from (m.SayRegion(kind, region) for region in m.Region)
        yield from (m.SaySide(kind, side, other) for side in m.Side)
        for count in range(1, 7):
            group, second = m.Group(count, kind), m.Group(7 - count, other)
            third, fourth = m.Group(1, other), m.Group(2, m.Kind())
            yield m.SayLeft(kind, count)
            yield m.SayMore(group, second, more=count > 3)
            yield from (m.SayThere((group,)), m.SayThere((group, second)))
            yield from (
                m.SayThere((group, second, third)),
                m.SayThere((group, second, third, fourth)),
            )


def lists() -> Iterator[m.Message]:
    """Bulleted lists of one and of two lines."""
    for (kind, other), count in itertools.product(PAIRS, range(1, 7)):
        yield m.SayList((m.Group(count, kind),))
        yield m.SayList((m.Group(count, kind), m.Group(1, other)))


def unprotected(text: str) -> str:
    """The text without URL, box and width, with the words that remain."""
    return re.sub(r"https://\S+|\[[^]]*\]|48 px", "", text)


def test_sweep_has_every_message_class() -> None:
    sweep = [*questions(), *short_answers(), *statements(), *lists()]
    assert {type(message) for message in sweep} == set(m.Message.__subclasses__())


@pytest.mark.parametrize("lang", SAYS)
def test_every_text_is_clean(lang: str) -> None:
    foreign = re.compile(r"[A-Za-z0-9]|[يكىه]" if lang == "ur" else r"[A-Za-z0-9]")
    for message in (*questions(), *short_answers(), *statements(), *lists()):
        text = SAYS[lang](message)
        assert text == text.strip() != "", message
        assert "  " not in text, text
        assert not foreign.search(unprotected(text)), text
        assert unicodedata.is_normalized("NFC", text), text


@pytest.mark.parametrize("lang", SAYS)
def test_sentence_has_its_one_final_mark(lang: str) -> None:
    stop, mark = MARKS[lang]
    for message in questions():
        text = SAYS[lang](message)
        assert text.endswith(mark), text
        assert sum(text.count(end) for end in (stop, mark)) == 1, text
    for message in (*short_answers(), *statements()):
        text = SAYS[lang](message)
        assert text.endswith(stop), text
        assert sum(text.count(end) for end in (stop, mark)) == 1, text


@pytest.mark.parametrize("lang", SAYS)
def test_list_has_a_bullet_a_line_and_no_final_mark(lang: str) -> None:
    for message in lists():
        assert isinstance(message, m.SayList)
        lines = SAYS[lang](message).split("\n")
        assert len(lines) == len(message.groups)
        for line in lines:
            assert line.startswith("- "), line
            assert line[-1] not in MARKS[lang], line


@pytest.mark.parametrize("lang", SAYS)
def test_different_sentences_have_different_texts(lang: str) -> None:
    sweep = {*questions(), *statements(), *lists(), *map(m.ShortShape, m.Shape), m.Yes(), m.No()}
    texts: dict[str, m.Message] = {}
    for message in sweep:
        text = SAYS[lang](message)
        assert text not in texts, (text, message, texts[text])
        texts[text] = message


@pytest.mark.parametrize("lang", SAYS)
def test_protected_parts_stay_as_they_are(lang: str) -> None:
    say = SAYS[lang]
    for kind in KINDS:
        assert f" {BOX} " in say(m.SayBox(kind, BOX))
        assert " 48 px" in say(m.SayWidth(kind, 48))
        url = f"https://example.org/shapes/{kind.shape or 'object'}"
        assert f" {url} {MARKS[lang][0]}" in say(m.SayLink(kind, url))
