"""A translation in another language is caught; a short one is not judged by a guess."""

import pytest

from palo.checks.language import LanguageId
from refine.filters import Pair
from refine.filters.language_id import LanguageFilter
from refine.filters.thresholds import shipped


@pytest.fixture(scope="module")
def language():
    return LanguageFilter(LanguageId())


SPANISH = "El gato negro duerme todas las tardes sobre la alfombra del salón."


def test_a_long_text_in_another_language_is_rejected(language, look):
    assert look(language, "x", SPANISH, "fr") == ("reject", "looks like Spanish, not French")
    assert look(language, "x", SPANISH, "es") is None


def test_what_is_sure_is_a_matter_of_the_bands(look):
    bands = {"fr": shipped()["fr"].model_copy(update={"foreign_share": 1.0})}
    careful = LanguageFilter(LanguageId(), bands)
    assert look(careful, "x", SPANISH, "fr")[0] == "review"


@pytest.mark.parametrize(
    ("target", "lang", "other"),
    [
        ("وہ آدمی سڑک کے کنارے کھڑا ہے اور بس کا انتظار کر رہا ہے۔", "ar", "Urdu"),
        ("يقف الرجل على جانب الطريق وينتظر الحافلة منذ ساعة كاملة.", "ur", "Arabic"),
        ("आदमी सड़क के किनारे खड़ा है और बस का इंतज़ार कर रहा है, बारिश हो रही है।", "bn", "Hindi"),
        ("男の人が道の横に立って毎日バスを待っています。雨が降っています。", "zh", "Japanese"),
        ("一个男人站在路边等公共汽车，天正在下雨，他没有带伞，衣服都已经湿透了。", "ja", "Chinese"),
    ],
)  # fmt: skip
def test_neighbours_are_told_apart(language, look, target, lang, other):
    verdict, reason = look(language, "x", target, lang)
    assert (verdict, reason.split(",")[0]) == ("reject", f"looks like {other}")


@pytest.mark.parametrize(
    ("target", "lang"),
    [("Dos.", "fr"), ("赤色。", "zh"), ("赤色。", "ja"), ("دو۔", "ar"), ("12.", "ur"), ("", "ur")],
)
def test_short_texts_are_not_guessed_at(language, look, target, lang):
    assert look(language, "x", target, lang) is None


def test_a_short_text_in_another_script_is_asked_about(language, look):
    assert look(language, "Two.", "Two.", "ur") == (
        "review",
        "looks like another language, not Urdu",
    )


TALKS = {
    "es": ("¿De qué color es el gato que duerme en la alfombra?", "Negro.", "Dos."),
    "fr": ("De quelle couleur est le chat qui dort sur le tapis ?", "Noir.", "Deux."),
    "short es": ("Hay tres.", "Son rojos.", "El gato.", "Muy poco.", "Es pequeño."),
    "zh": ("站在路边等公共汽车的人是谁，他为什么没有带伞，衣服都湿透了吗？", "三人。", "天空。"),
}


def verdicts(language, lang, *talks):
    pairs = [Pair("x", text, conversation=name) for name in talks for text in TALKS[name]]
    return [found and str(found.verdict) for found in language.judge(pairs, lang)]


def test_short_answers_go_with_a_conversation_that_is_in_another_language(language):
    assert verdicts(language, "fr", "es", "fr") == ["reject", "review", "review", None, None, None]
    assert verdicts(language, "fr", "short es") == ["review"] * 5
    assert verdicts(language, "ja", "zh") == ["review", "review", "review"]


def test_short_answers_pass_where_their_conversation_is_in_the_language(language):
    assert verdicts(language, "es", "es", "short es") == [None] * 8
    alone = [Pair("x", text) for text in TALKS["es"]]
    assert [bool(found) for found in language.judge(alone, "fr")] == [True, False, False]
