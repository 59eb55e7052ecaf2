"""LLaVA-style samples about a scene: conversation, detailed description, reasoning; captions.

Captions, and labels of the patches, are what the projector and the stand-in tower learn from.
"""

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from sceneworld import messages as m
from sceneworld.grammar import grammar_of
from sceneworld.messages import Kind, Message
from sceneworld.questions import Exchange, QuestionKind, ask, link, name_of
from sceneworld.scene import GRID, Scene

SHORT_SHARE = 0.7
ROUNDS = (2, 3, 4)
DETAIL_PROMPTS = 4
MOST_TOLD = 4  # sentences about things in one description
REASONING = (QuestionKind.MORE, QuestionKind.LEFT)  # these have conversations of their own
# Relative frequency of each other question in a conversation.
RARE = {QuestionKind.LIST: 4, QuestionKind.BOX: 3, QuestionKind.WIDTH: 3, QuestionKind.LINK: 3}
QUESTION_WEIGHTS = {kind: RARE.get(kind, 10) for kind in QuestionKind if kind not in REASONING}
# Without scene content: the same words whatever the picture shows.
FIXED = (m.AskList, m.AskDetail, m.Yes, m.No, m.SayBackground)

CAPTION_PROMPTS = (
    "Give a brief description of the image.",
    "Describe the image concisely.",
    "Provide a short caption for the picture.",
    "Summarize what the picture shows.",
)

Round = tuple[Message, tuple[Message, ...]]  # question and answer


@dataclass(frozen=True)
class Sample:
    """One conversation; `image_first` tells whether `<image>` stands before the first question."""

    rounds: tuple[Round, ...]
    has_image: bool
    image_first: bool


def is_fixed(messages: tuple[Message, ...]) -> bool:
    """Whether a turn carries no scene content."""
    return all(isinstance(message, FIXED) for message in messages)


def is_for_source(question: Message) -> bool:
    """Deal every question to the source (else it goes to the translator's corpus).

    The parity of what it names decides, so each shape, colour and size occurs in each
    construction on both sides while no question, and so no answer, is on both. Fixed questions
    (without content) go to the source.
    """
    return _content(question) % 2 == 0


def _content(value: object) -> int:
    if isinstance(value, StrEnum):
        return list(type(value)).index(value) + 1
    if isinstance(value, Kind | Message):
        return sum(map(_content, vars(value).values()))
    return 0


def source_samples(scene: Scene, rng: random.Random) -> tuple[Sample, ...]:
    """The three samples of one picture, in LLaVA-Instruct's order."""
    exchanges = conversation_exchanges(scene, rng, rng.choice(ROUNDS), is_for_source)
    rounds = [
        (e.question, e.short if rng.random() < SHORT_SHARE else e.sentence) for e in exchanges
    ]
    conversation = _sample(rounds, rng)
    prompt = m.AskDetail(rng.randrange(DETAIL_PROMPTS))
    detail = _sample([(prompt, detail_answer(scene, rng))], rng)
    # Shape, colour and both together can't all be odd, so there is always something to ask.
    while not (exchanges := reasoning_exchanges(scene, rng, is_for_source)):
        pass
    return conversation, detail, _sample([(e.question, e.sentence) for e in exchanges], rng)


def text_sample(rng: random.Random) -> Sample:
    """A sample without an image: where to read more about things."""
    kinds = [Kind(shape, colour) for shape in m.Shape for colour in (None, *m.Colour)]
    links = [link(kind) for kind in kinds]
    links = [exchange for exchange in links if is_for_source(exchange.question)]
    return _sample([(e.question, e.sentence) for e in rng.sample(links, 2)], rng, has_image=False)


def conversation_exchanges(
    scene: Scene,
    rng: random.Random,
    rounds: int,
    allowed: Callable[[Message], bool],
    left_out: tuple[QuestionKind, ...] = (),
) -> list[Exchange]:
    """Up to `rounds` different questions of different kinds, fewer where the scene has no more."""
    weights = {kind: weight for kind, weight in QUESTION_WEIGHTS.items() if kind not in left_out}
    exchanges: list[Exchange] = []
    while weights and len(exchanges) < rounds:
        kind = rng.choices(tuple(weights), tuple(weights.values()))[0]
        del weights[kind]
        if exchange := ask(kind, scene, rng, allowed):
            exchanges.append(exchange)
    return exchanges


def detail_answer(scene: Scene, rng: random.Random) -> tuple[Message, ...]:
    """A description of three to five sentences."""
    named = [(thing, kind) for thing in scene.things if (kind := name_of(thing, scene, rng))]
    places: list[Message] = [m.SayRegion(kind, thing.region) for thing, kind in named]
    places = [places[i] for i in sorted(rng.sample(range(len(places)), min(3, len(places))))]
    description: list[Message] = [m.SayTotal(len(scene.things))]
    if len(scene.groups) <= 3:
        description.append(m.SayThere(scene.groups))
    description += places[: MOST_TOLD - len(description)]
    if len(named) >= 2 and len(description) < MOST_TOLD and rng.random() < 0.5:
        (thing, kind), (other, other_kind) = rng.sample(named, 2)
        side = rng.choice([side for side in m.Side if thing.lies(side, other)])
        description.append(m.SaySide(kind, side, other_kind))
    return (*description, m.SayBackground())


def reasoning_exchanges(
    scene: Scene, rng: random.Random, allowed: Callable[[Message], bool]
) -> list[Exchange]:
    """One or two questions that need counting and comparing."""
    kinds = rng.sample(REASONING, 2)
    exchanges = [exchange for kind in kinds if (exchange := ask(kind, scene, rng, allowed))]
    return exchanges[: rng.choice((1, 2))]


def _sample(rounds: Iterable[Round], rng: random.Random, has_image: bool = True) -> Sample:
    return Sample(tuple(rounds), has_image, rng.random() < 0.5)


def caption(scene: Scene) -> str:
    """Every object in raster order: `A big red circle in the top left corner, a ... .`"""
    english = grammar_of("en")
    text = ", ".join(
        f"{english.item(1, thing.kind)} {english.regions[thing.region]}" for thing in scene.things
    )
    return f"{text[0].upper()}{text[1:]}."


def patches(scene: Scene) -> list[str]:
    """The 16 cells in raster order: `big red circle`, or '' where nothing is drawn."""
    cells = [""] * (GRID * GRID)
    for thing in scene.things:
        cells[thing.row * GRID + thing.column] = f"{thing.size} {thing.colour} {thing.shape}"
    return cells


def is_told(question: m.Message, scene: Scene) -> bool:
    """Whether the caption alone decides a question: sides only across the picture's middle."""
    if not isinstance(question, m.AskSide):
        return True
    axis = "column" if question.side in (m.Side.LEFT, m.Side.RIGHT) else "row"
    here, there = (
        next(getattr(thing, axis) < GRID // 2 for thing in scene.things if kind.fits(thing.kind))
        for kind in (question.kind, question.other)
    )
    return here != there
