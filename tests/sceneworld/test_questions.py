"""Answers checked against the scene, over many seeded scenes."""

import collections
import random

import pytest

from sceneworld import messages as m
from sceneworld.grammar import say_turn
from sceneworld.messages import Colour, Group, Kind, Shape, Size
from sceneworld.questions import HELD_OUT_KINDS, QuestionKind, ask, link
from sceneworld.scene import Scene, Thing, make_scene

SCENES = [make_scene(f"q/{number}", 5) for number in range(400)]
CORNERS = {"top left": (0, 0), "top right": (0, 1), "bottom left": (1, 0), "bottom right": (1, 1)}


def exchanges(kind, scenes=SCENES):
    for scene in scenes:
        if exchange := ask(kind, scene, random.Random(scene.scene_id)):
            yield scene, exchange


def the_only(scene, kind):
    things = [thing for thing in scene.things if kind.fits(thing.kind)]
    assert len(things) == 1
    return things[0]


def test_colour_shape_and_size_are_those_of_the_only_thing_meant():
    for scene, exchange in exchanges(QuestionKind.COLOUR):
        kind = exchange.question.kind
        assert kind.shape and not kind.colour
        colour = the_only(scene, kind).colour
        assert exchange.short == (m.ShortColour(colour, kind),)
        assert exchange.sentence == (m.SayColour(kind, colour),)
    for scene, exchange in exchanges(QuestionKind.SHAPE):
        kind = exchange.question.kind
        assert kind.colour and not kind.shape
        shape = the_only(scene, kind).shape
        assert exchange.short == (m.ShortShape(shape),)
        assert exchange.sentence == (m.SayShape(kind, shape),)
    for scene, exchange in exchanges(QuestionKind.SIZE):
        kind = exchange.question.kind
        assert not kind.size
        size = the_only(scene, kind).size
        assert exchange.short == (m.ShortSize(size, kind),)
        assert exchange.sentence == (m.SaySize(kind, size),)


def test_counts_and_existence_agree_with_the_scene():
    for scene, exchange in exchanges(QuestionKind.COUNT):
        kind = exchange.question.kind
        count = scene.count(kind)
        assert exchange.short == (m.ShortCount(count, kind),)
        if kind == Kind():
            assert exchange.sentence == (m.SayTotal(count),)
        elif count:
            assert exchange.sentence == (m.SayThere((Group(count, kind),)),)
        else:
            assert exchange.sentence == (m.SayNone(kind),)
    for scene, exchange in exchanges(QuestionKind.EXISTS):
        kind = exchange.question.kind
        if count := scene.count(kind):
            assert exchange.sentence == (m.Yes(), m.SayThere((Group(count, kind),)))
        else:
            assert exchange.sentence == (m.No(), m.SayNone(kind))
        assert exchange.short == exchange.sentence[:1]


def test_region_box_and_width_are_those_of_the_only_thing_meant():
    for scene, exchange in exchanges(QuestionKind.REGION):
        thing = the_only(scene, exchange.question.kind)
        assert CORNERS[exchange.short[0].region] == (thing.row // 2, thing.column // 2)
        assert exchange.sentence[0].region == exchange.short[0].region
    for scene, exchange in exchanges(QuestionKind.BOX):
        kind = exchange.question.kind
        assert exchange.short == (m.SayBox(kind, the_only(scene, kind).box),)
    for scene, exchange in exchanges(QuestionKind.WIDTH):
        kind = exchange.question.kind
        assert exchange.short == (m.SayWidth(kind, the_only(scene, kind).width_px),)


def test_sides_are_answered_as_the_things_lie():
    for scene, exchange in exchanges(QuestionKind.SIDE):
        asked = exchange.question
        thing, other = the_only(scene, asked.kind), the_only(scene, asked.other)
        assert exchange.short == (m.Yes() if thing.lies(asked.side, other) else m.No(),)
        told = exchange.sentence[1]
        assert exchange.sentence[:1] == exchange.short
        assert thing.lies(told.side, other)
        assert (told.kind, told.other) == (asked.kind, asked.other)


def test_reasoning_counts_what_is_there():
    for scene, exchange in exchanges(QuestionKind.MORE):
        (answer,) = exchange.sentence
        counts = scene.count(exchange.question.kind), scene.count(exchange.question.other)
        assert (answer.group.count, answer.other.count) == counts
        assert min(counts) >= 1
        assert answer.more == (counts[0] > counts[1])
    for scene, exchange in exchanges(QuestionKind.LEFT):
        (answer,) = exchange.sentence
        assert answer.before == scene.count(exchange.question.kind) >= 1


def test_lists_name_every_group():
    for scene, exchange in exchanges(QuestionKind.LIST):
        (answer,) = exchange.sentence
        assert answer.groups == scene.groups
        assert isinstance(answer, m.SayList) or len(answer.groups) <= 4


def test_links_name_the_shape():
    assert link(Kind(Shape.HEART)).sentence[0].url == "https://example.org/shapes/heart"
    blue = link(Kind(Shape.HEART, Colour.BLUE))
    assert blue.sentence[0].url == "https://example.org/shapes/blue-heart"


@pytest.mark.parametrize("kind", HELD_OUT_KINDS)
def test_no_answer_is_said_so_often_that_guessing_pays(kind):
    said = collections.Counter(say_turn(e.short, "en") for _, e in exchanges(kind))
    limits = {"colour": 0.22, "shape": 0.25, "count": 0.33, "region": 0.33}
    assert said.total() > 300
    assert max(said.values()) / said.total() <= limits.get(kind, 0.58)


def test_a_yes_or_no_is_not_given_away_by_the_form_of_the_question():
    yes = collections.defaultdict(list)
    for scene in SCENES:
        for seed in range(5):
            rng = random.Random(f"{scene.scene_id}/{seed}")
            exchange = ask(QuestionKind.EXISTS, scene, rng)
            kind = exchange.question.kind
            form = bool(kind.shape), bool(kind.colour), bool(kind.size)
            yes[form].append(exchange.short == (m.Yes(),))
    assert len(yes) == 5
    for answers in yes.values():
        assert 0.35 <= sum(answers) / len(answers) <= 0.65


def test_twins_cannot_be_asked_about_one_by_one():
    twins = tuple(Thing(0, c, Shape.STAR, Colour.RED, Size.BIG, 52) for c in (0, 1))
    assert ask(QuestionKind.REGION, Scene("x", twins), random.Random(0)) is None


def test_only_allowed_questions_are_asked():
    def about_stars(question):
        return question.kind.shape == Shape.STAR

    found = [ask(QuestionKind.COUNT, scene, random.Random(1), about_stars) for scene in SCENES]
    shapes = {exchange.question.kind.shape for exchange in found if exchange}
    assert shapes == {Shape.STAR}
