"""Questions that a scene can answer, each with its short answer and its whole sentence."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import product
from typing import Any

from sceneworld import messages as m
from sceneworld.messages import Colour, Kind, Message, Shape, Side, Size
from sceneworld.scene import WORDS, Scene, Thing

# How often a count is asked about where the scene offers it: evens out the answers.
COUNT_WEIGHTS = {1: 2, 2: 3, 3: 5, 4: 8}
NONE_SHARE = 0.1
TOTAL_SHARE = 0.07
TRIES = 24
# The ways in which counts and existence are asked about, by the words that are told.
FORMS = (("shape", "colour"), ("shape",), ("colour",), ("shape", "size"), WORDS)
OPPOSITE = dict(zip(Side, (Side.RIGHT, Side.LEFT, Side.BELOW, Side.ABOVE), strict=True))


class QuestionKind(StrEnum):
    COLOUR = "colour"
    SHAPE = "shape"
    SIZE = "size"
    COUNT = "count"
    REGION = "region"
    EXISTS = "exists"
    SIDE = "side"
    LIST = "list"
    BOX = "box"
    WIDTH = "width"
    LINK = "link"
    MORE = "more"
    LEFT = "left"


# The held-out questions, all of which need the picture: what one thing is like and where it is,
SEEING_KINDS = (QuestionKind.COLOUR, QuestionKind.SHAPE, QuestionKind.SIZE, QuestionKind.REGION)
# and what takes comparing or counting several, which is measured apart: the twin, minutes old,
# can't do it yet.
REASONING_KINDS = (QuestionKind.EXISTS, QuestionKind.COUNT, QuestionKind.SIDE)
HELD_OUT_KINDS = (*SEEING_KINDS, *REASONING_KINDS)


@dataclass(frozen=True)
class Exchange:
    """A question and its answer in both forms; the forms are equal where there is only one."""

    question: Message
    short: tuple[Message, ...]
    sentence: tuple[Message, ...]


Asker = Callable[[Scene, random.Random], Exchange | None]


def ask(
    kind: QuestionKind,
    scene: Scene,
    rng: random.Random,
    allowed: Callable[[Message], bool] = lambda question: True,
) -> Exchange | None:
    """A question of this kind about the scene; None where the scene offers no allowed one."""
    for _ in range(TRIES):
        exchange = ASKERS[kind](scene, rng)
        if exchange is not None and allowed(exchange.question):
            return exchange
    return None


def name_of(thing: Thing, scene: Scene, rng: random.Random) -> Kind | None:
    """A description that singles the thing out: a smallest one, or shape and colour."""
    names = list(scene.smallest_names[thing])
    plain = Kind(thing.shape, thing.colour)
    if scene.count(plain) == 1 and plain not in names:
        names.append(plain)
    return rng.choice(names) if names else None


def _exchange(question: Message, short: Message, sentence: Message | None = None) -> Exchange:
    return Exchange(question, (short,), (sentence or short,))


def _about_one(
    quality: str,
    question: Callable[[Kind], Message],
    sentence: Callable[[Kind, Any], Message],
    short: Callable[[Any, Kind], Message] | None = None,
    described_by: Sequence[Sequence[str]] = (),
) -> Asker:
    """About a thing that one of these descriptions singles out; any will do if none are given."""

    def asker(scene: Scene, rng: random.Random) -> Exchange | None:
        thing = rng.choice(scene.things)
        if described_by:
            kinds = [thing.kind.only(words) for words in described_by]
            singles = [kind for kind in kinds if scene.count(kind) == 1]
            kind = rng.choice(singles) if singles else None
        else:
            kind = name_of(thing, scene, rng)
        if kind is None:
            return None
        value = getattr(thing, quality)
        said = sentence(kind, value)
        return _exchange(question(kind), short(value, kind) if short else said, said)

    return asker


def _there(scene: Scene, kind: Kind) -> Message:
    count = scene.count(kind)
    return m.SayThere((m.Group(count, kind),)) if count else m.SayNone(kind)


def _count(scene: Scene, rng: random.Random) -> Exchange:
    roll = rng.random()
    if roll < TOTAL_SHARE:
        total = len(scene.things)
        return _exchange(m.AskCount(Kind()), m.ShortCount(total, Kind()), m.SayTotal(total))
    kind = _absent(scene, rng) if roll < TOTAL_SHARE + NONE_SHARE else _counted(scene, rng)
    return _exchange(m.AskCount(kind), m.ShortCount(scene.count(kind), kind), _there(scene, kind))


def _counted(scene: Scene, rng: random.Random) -> Kind:
    kinds: dict[int, list[Kind]] = {}
    for thing in scene.things:
        for kind in _forms(thing):
            kinds.setdefault(scene.count(kind), []).append(kind)
    counts = [count for count in sorted(kinds) if count in COUNT_WEIGHTS]
    count = rng.choices(counts, [COUNT_WEIGHTS[count] for count in counts])[0]
    return rng.choice(list(dict.fromkeys(kinds[count])))


def _forms(thing: Thing) -> list[Kind]:
    return [thing.kind.only(form) for form in FORMS]


def _absent(scene: Scene, rng: random.Random) -> Kind:
    """A kind that the scene lacks; where it can, it mixes what different things are like."""
    form = rng.choice(FORMS)
    seen = [dict.fromkeys(getattr(thing, word) for thing in scene.things) for word in WORDS]
    mixes = dict.fromkeys(Kind(*mix).only(form) for mix in product(*seen))
    absent = [kind for kind in mixes if not scene.count(kind)]
    while not absent:
        colour = rng.choice(tuple(Colour))
        kind = Kind(rng.choice(tuple(Shape)), colour, rng.choice(tuple(Size))).only(form)
        absent = [] if scene.count(kind) else [kind]
    return rng.choice(absent)


def _exists(scene: Scene, rng: random.Random) -> Exchange:
    if rng.random() < 0.5:
        kind, answer = rng.choice(_forms(rng.choice(scene.things))), m.Yes()
    else:
        kind, answer = _absent(scene, rng), m.No()
    return Exchange(m.AskExists(kind), (answer,), (answer, _there(scene, kind)))


def _side(scene: Scene, rng: random.Random) -> Exchange | None:
    thing, other = rng.sample(scene.things, 2)
    kind, other_kind = name_of(thing, scene, rng), name_of(other, scene, rng)
    if kind is None or other_kind is None:
        return None
    true = rng.choice([side for side in Side if thing.lies(side, other)])
    asked = rng.choice((true, OPPOSITE[true]))
    answer = m.Yes() if asked == true else m.No()
    sentence = (answer, m.SaySide(kind, true, other_kind))
    return Exchange(m.AskSide(kind, asked, other_kind), (answer,), sentence)


def _list(scene: Scene, rng: random.Random) -> Exchange:
    variant = rng.randrange(2)
    told = variant == 0 and len(scene.groups) <= 4
    return _exchange(m.AskList(variant), (m.SayThere if told else m.SayList)(scene.groups))


def _link(scene: Scene, rng: random.Random) -> Exchange:
    thing = rng.choice(scene.things)
    return link(rng.choice((Kind(thing.shape), Kind(thing.shape, thing.colour))))


def link(kind: Kind) -> Exchange:
    """Where to read more about a kind that has a shape; needs no scene."""
    page = "-".join(word for word in (kind.colour, kind.shape) if word)
    return _exchange(m.AskLink(kind), m.SayLink(kind, f"https://example.org/shapes/{page}"))


def _more(scene: Scene, rng: random.Random) -> Exchange | None:
    things = rng.sample(scene.things, 2)
    form = rng.choice(FORMS[:3])
    kind, other = (thing.kind.only(form) for thing in things)
    if kind == other:
        return None
    count, other_count = scene.count(kind), scene.count(other)
    answer = m.SayMore(m.Group(count, kind), m.Group(other_count, other), count > other_count)
    return _exchange(m.AskMore(kind, other), answer)


def _left(scene: Scene, rng: random.Random) -> Exchange:
    kind = rng.choice(_forms(rng.choice(scene.things)))
    return _exchange(m.AskLeft(kind), m.SayLeft(kind, scene.count(kind)))


ASKERS: dict[QuestionKind, Asker] = {
    QuestionKind.COLOUR: _about_one(
        "colour", m.AskColour, m.SayColour, m.ShortColour, (("shape",), ("shape", "size"))
    ),
    QuestionKind.SHAPE: _about_one(
        "shape",
        m.AskShape,
        m.SayShape,
        lambda shape, kind: m.ShortShape(shape),
        (("colour",), ("colour", "size")),
    ),
    QuestionKind.SIZE: _about_one(
        "size", m.AskSize, m.SaySize, m.ShortSize, (("shape", "colour"), ("shape",), ("colour",))
    ),
    QuestionKind.COUNT: _count,
    QuestionKind.REGION: _about_one(
        "region", m.AskRegion, m.SayRegion, lambda region, kind: m.ShortRegion(region)
    ),
    QuestionKind.EXISTS: _exists,
    QuestionKind.SIDE: _side,
    QuestionKind.LIST: _list,
    QuestionKind.BOX: _about_one("box", m.AskBox, m.SayBox),
    QuestionKind.WIDTH: _about_one("width_px", m.AskWidth, m.SayWidth),
    QuestionKind.LINK: _link,
    QuestionKind.MORE: _more,
    QuestionKind.LEFT: _left,
}
