from pathlib import Path

import pytest

from palo.memory import VerifiedEntry
from palo.schemas import Role, Turn
from palo.settings import Context, TranslatorSettings
from translate.finetune import make_pair, verified_pairs
from translate.job import Glossary, Term, TranslationJob, load_prompt
from translate.segments import Before, cut, segment


def entry(source, context, text, turn=1):
    return VerifiedEntry(source, context, text, "s1", turn, True, "ana", "b1", "2026")


def test_a_pair_has_the_prompt_of_translation_and_masked_spans_on_both_sides():
    pair = make_pair("fr", cut("<image>\nSee https://a.b/c."), "<image>\nVoir https://a.b/c .")
    assert (pair.text, pair.target) == ("See <x1>.", "Voir <x1> .")
    assert pair.prompt == load_prompt("fr").render("See <x1>.", "")


@pytest.mark.parametrize(
    ("source", "target"), [("12", "12"), ("See https://a.b/c.", "Voir."), ("Two.", " ")]
)
def test_what_teaches_nothing_is_no_pair(source, target):
    assert make_pair("fr", cut(source), target) is None


def test_verified_segments_come_as_often_as_they_were_verified():
    entries = [
        entry("Two.", "How many?", "Deux.", 1),
        entry("Two.", "How many?", "Deux.", 3),
        entry("Two.", "Which number?", "Le deux.", 5),
        entry("7", "", "7", 7),
    ]
    found = verified_pairs("fr", entries, Context.SOURCE, {})
    assert [(pair.before.english, pair.target) for pair in found] == [
        ("How many?", "Deux."),
        ("How many?", "Deux."),
        ("Which number?", "Le deux."),
    ]
    alone = verified_pairs("fr", entries, Context.NONE, {})
    assert {pair.before.english for pair in alone} == {""}


@pytest.mark.parametrize("context", list(Context))
def test_a_verified_turn_is_practised_with_the_very_prompt_it_would_be_translated_with(context):
    texts = ("Who is it?", "A man.", "Is his bus red?", "Yes, it is.")
    turns = tuple(Turn((Role.HUMAN, Role.GPT)[at % 2], text) for at, text in enumerate(texts))
    entries = [
        entry(texts[1], texts[0], "Un homme.", 1),
        entry(texts[2], "", "Son bus est-il rouge ?", 2),
    ]
    glossary = Glossary({"bus": Term("bus", "autobus")})
    (_, pair) = verified_pairs("fr", entries, context, {"s1": turns}, glossary)
    settings = TranslatorSettings(model="m", finetuned_dir=Path("t"), context=context)
    job = TranslationJob("fr", load_prompt("fr"), "s", settings, glossary)
    asked = job.request(segment(turns, 2, context, [None, "Un homme."]), b"1234", 0)
    assert asked.messages[0].content == pair.prompt
    assert "bus = autobus" in pair.prompt
    assert ("A man." in pair.prompt) == (context is not Context.NONE)
    assert ("Translation: Un homme." in pair.prompt) == (context is Context.DIALOGUE)


def test_equal_english_has_equal_keys_in_every_language():
    french = make_pair("fr", cut("Two.", Before("How many?")), "Deux.")
    urdu = make_pair("ur", cut("Two.", Before("How many?")), "دو۔")
    other = make_pair("fr", cut("Two.", Before("Which?")), "Deux.")
    assert french.key == urdu.key != other.key
