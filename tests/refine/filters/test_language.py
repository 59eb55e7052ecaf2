"""A translation in another language, script or letters is caught; a short one is no guess."""

import pytest

from palo.checks.language import LanguageId
from refine.filters import TurnPair, shipped
from refine.filters.language import (
    LanguageFilter,
    arabic_letters,
    mixed,
    script,
    traditional,
)


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
    pairs = [TurnPair("x", text, conversation=name) for name in talks for text in TALKS[name]]
    return [found and str(found.verdict) for found in language.judge(pairs, lang)]


def test_short_answers_go_with_a_conversation_that_is_in_another_language(language):
    assert verdicts(language, "fr", "es", "fr") == ["reject", "review", "review", None, None, None]
    assert verdicts(language, "fr", "short es") == ["review"] * 5
    assert verdicts(language, "ja", "zh") == ["review", "review", "review"]


def test_short_answers_pass_where_their_conversation_is_in_the_language(language):
    assert verdicts(language, "es", "es", "short es") == [None] * 8
    alone = [TurnPair("x", text) for text in TALKS["es"]]
    assert [bool(found) for found in language.judge(alone, "fr")] == [True, False, False]


@pytest.mark.parametrize("lang", ["zh", "ru", "ja", "ar", "hi", "bn", "ur"])
def test_an_english_answer_left_in_is_rejected(look, lang):
    verdict, reason = look(script, "Two.", "Two.", lang)
    assert verdict == "reject"
    assert reason == "0% of the letters are of the language's script, for example 'Two'"


@pytest.mark.parametrize(
    ("source", "target", "lang"),
    [
        ("The circle is red.", "The circle لال ہے۔", "ur"),
        ("The circle is red.", "圆的颜色是 red of course。", "zh"),
        ("The circle is red.", "circle लाल है।", "hi"),
        ("The circle is red.", "বৃত্তটি red colour।", "bn"),
        ("The circle is red.", "Le cercle est 红色的。", "fr"),
    ],
)
def test_a_mixture_is_at_least_reviewed(look, source, target, lang):
    assert look(script, source, target, lang)[0] in ("review", "reject")


@pytest.mark.parametrize(
    ("source", "target", "lang"),
    [
        ("Two.", "دو۔", "ur"),
        ("Red.", "红色。", "zh"),
        ("Red.", "赤。", "ja"),
        ("It is Tom.", "Tom है।", "hi"),
        ("A NASA image", "NASA ছবি", "bn"),
        ("The star is 28 px wide.", "星宽 28 px。", "zh"),
        ("The star is 28 px wide.", "तारा 28 px चौड़ा है।", "hi"),
        ("See https://example.org/a", "دیکھیں https://example.org/a", "ur"),
        ("Two.", "२", "hi"),
        ("It says NASA.", "NASA.", "fr"),
    ],
)
def test_the_languages_own_letters_names_and_units_pass(look, source, target, lang):
    assert look(script, source, target, lang) is None


def test_variants_are_looked_for_in_their_language_only(look):
    assert look(traditional, "Let's try.", "我們試試看！", "zh") == (
        "review",
        "traditional characters: 們 試",
    )
    assert look(traditional, "Let's try.", "試しましょう。", "ja") is None
    assert look(arabic_letters, "What?", "كيا؟", "ur") == (
        "review",
        "Arabic letters: ك for ک, ي for ی",
    )
    assert look(arabic_letters, "What?", "كيف؟", "ar") is None


@pytest.mark.parametrize(
    ("source", "target", "lang"),
    [
        ("The dog is on the grass. It is red.", "Le chien est sur l'herbe. It is red.", "fr"),
        ("The dog is on the grass. It is red.", "کتا گھاس پر ہے۔ it is red.", "ur"),
        ("A dog lies there.", "Un perro. This is what they said about the weather.", "es"),
    ],
)
def test_english_left_in_asks_for_review(look, source, target, lang):
    assert look(mixed(LanguageId()), source, target, lang)[0] == "review"


@pytest.mark.parametrize(
    ("source", "target", "lang"),
    [
        ("He read The Lord of the Rings.", "Il a lu The Lord.", "fr"),
        ("It is on the table.", "Está en la mesa.", "es"),
        ("The sign says STOP.", "На знаке написано STOP.", "ru"),
    ],
)
def test_names_and_signs_may_stay(look, source, target, lang):
    assert look(mixed(LanguageId()), source, target, lang) is None
