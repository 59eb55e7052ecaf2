"""Samples: rounds, forms, and which questions are the source's."""

import collections
import itertools
import random

from sceneworld import messages as m
from sceneworld.conversations import (
    detail_answer,
    is_fixed,
    is_for_source,
    source_samples,
    text_sample,
)
from sceneworld.messages import Colour, Kind, Shape, Side, Size
from sceneworld.questions import QuestionKind, ask
from sceneworld.scene import make_scene

SCENES = [make_scene(f"c/{number}", 5) for number in range(150)]
SAMPLES = [source_samples(scene, random.Random(scene.scene_id)) for scene in SCENES]


def questions(sample):
    return [question for question, _ in sample.rounds]


def test_samples_of_a_scene_have_its_image():
    assert all(sample.has_image for sample in itertools.chain(*SAMPLES))


def test_the_three_kinds_have_their_rounds():
    conversation, detail, reasoning = zip(*SAMPLES, strict=True)
    assert {len(questions(sample)) for sample in conversation} == {2, 3, 4}
    assert {len(questions(sample)) for sample in detail} == {1}
    assert {len(questions(sample)) for sample in reasoning} == {1, 2}
    assert {type(q) for s in detail for q in questions(s)} == {m.AskDetail}
    assert {type(q) for s in reasoning for q in questions(s)} == {m.AskMore, m.AskLeft}
    asked = {type(q) for s in conversation for q in questions(s)}
    assert len(asked) == 11
    assert not asked & {m.AskDetail, m.AskMore, m.AskLeft}


def test_conversations_ask_nothing_twice_and_answer_mostly_short():
    short = collections.Counter()
    for sample, _, _ in SAMPLES:
        asked = questions(sample)
        assert len(set(asked)) == len(asked)
        answers = (reply[0] for _, reply in sample.rounds)
        short.update(type(a).__name__.startswith("Short") for a in answers if _has_two_forms(a))
    assert 0.6 <= short[True] / short.total() <= 0.8


def _has_two_forms(answer):
    long_forms = (m.SayColour, m.SayShape, m.SaySize, m.SayNone, m.SayRegion)
    return type(answer).__name__.startswith("Short") or isinstance(answer, long_forms)


def test_descriptions_have_three_to_six_true_sentences():
    for scene in SCENES:
        total, *middle, last = detail_answer(scene, random.Random(scene.scene_id))
        assert total == m.SayTotal(len(scene.things))
        assert last == m.SayBackground()
        assert 1 <= len(middle) <= 4
        for sentence in middle:
            if isinstance(sentence, m.SayRegion):
                (thing,) = [thing for thing in scene.things if sentence.kind.fits(thing.kind)]
                assert thing.region == sentence.region


def test_a_text_only_sample_asks_where_to_read_more():
    sample = text_sample(random.Random(1))
    assert not sample.has_image
    assert {type(question) for question in questions(sample)} == {m.AskLink}


def test_the_source_asks_only_its_own_half_of_the_questions():
    assert all(is_for_source(q) for sample in itertools.chain(*SAMPLES) for q in questions(sample))


def test_both_halves_have_every_shape_colour_size_and_side_in_every_construction():
    kinds = [Kind(s, c, z) for s in Shape for c in (None, *Colour) for z in (None, *Size)]
    for question in (m.AskCount, m.AskRegion, m.AskExists, m.AskLeft, m.AskBox, m.AskWidth):
        for half in (True, False):
            dealt = [kind for kind in kinds if is_for_source(question(kind)) == half]
            assert {kind.shape for kind in dealt} == set(Shape)
            assert {kind.colour for kind in dealt} == {None, *Colour}
            assert {kind.size for kind in dealt} == {None, *Size}
    for half in (True, False):
        by_colour = [Kind(s, size=z) for s in Shape for z in (None, *Size)]
        assert {k.shape for k in by_colour if is_for_source(m.AskColour(k)) == half} == set(Shape)
        pair = Kind(Shape.STAR), Kind(Shape.HEART)
        sides = [(side, size) for side in Side for size in (None, *Size)]
        dealt = [
            side
            for side, size in sides
            if is_for_source(m.AskSide(pair[0], side, Kind(Shape.HEART, size=size))) == half
        ]
        assert set(dealt) == set(Side)


def test_fixed_prompts_belong_to_the_source():
    assert is_for_source(m.AskDetail(1))
    assert is_for_source(m.AskList(1))


def test_fixed_turns_are_those_without_scene_content():
    assert is_fixed((m.AskDetail(2),))
    assert is_fixed((m.Yes(),))
    assert not is_fixed((m.Yes(), m.SayNone(Kind(Shape.STAR))))
    exchange = ask(QuestionKind.COLOUR, SCENES[0], random.Random(0))
    assert not is_fixed(exchange.short)
