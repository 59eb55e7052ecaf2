"""Invisible, damaged and foreign letters, mixed languages, answers and doubts."""

import pytest

from palo.checks.language import LanguageId
from refine.filters.answered import AnsweredFilter
from refine.filters.confidence import ConfidenceFilter
from refine.filters.encoding import EncodingFilter
from refine.filters.invisible import InvisibleFilter
from refine.filters.mixed import MixedFilter
from refine.filters.variants import ArabicLettersFilter, TraditionalFilter


def test_invisible_characters_ask_for_review(look):
    found = look(InvisibleFilter(), "The circle is red.", "دائرہ \u202eسرخ ہے۔", "ur")
    assert found == ("review", "invisible characters: U+202E RIGHT-TO-LEFT OVERRIDE")
    assert look(InvisibleFilter(), "The circle is red.", "می\u200cخواهم", "ur") is None


@pytest.mark.parametrize(
    ("target", "verdict"),
    [
        ("L'Ã©lÃ¨ve est lÃ .", "reject"),
        ("L'\ufffdl\ufffdve est là.", "reject"),
        ("????? ??? ????.", "review"),
        ("L'&eacute;l&#232;ve est là.", "review"),
    ],
)
def test_damaged_letters_are_found(look, target, verdict):
    assert look(EncodingFilter(), "The pupil is there.", target, "fr")[0] == verdict


def test_damage_that_the_english_has_is_no_fault_of_the_translation(look):
    assert look(EncodingFilter(), "Write \ufffd here.", "Écrivez \ufffd ici.", "fr") is None


def test_variants_are_looked_for_in_their_language_only(look):
    assert look(TraditionalFilter(), "Let's try.", "我們試試看！", "zh") == (
        "review",
        "traditional characters: 們 試",
    )
    assert look(TraditionalFilter(), "Let's try.", "試しましょう。", "ja") is None
    assert look(ArabicLettersFilter(), "What?", "كيا؟", "ur") == (
        "review",
        "Arabic letters: ك for ک, ي for ی",
    )
    assert look(ArabicLettersFilter(), "What?", "كيف؟", "ar") is None


@pytest.mark.parametrize(
    ("source", "target", "lang"),
    [
        ("The dog is on the grass. It is red.", "Le chien est sur l'herbe. It is red.", "fr"),
        ("The dog is on the grass. It is red.", "کتا گھاس پر ہے۔ it is red.", "ur"),
        ("A dog lies there.", "Un perro. This is what they said about the weather.", "es"),
    ],
)
def test_english_left_in_asks_for_review(look, source, target, lang):
    assert look(MixedFilter(LanguageId()), source, target, lang)[0] == "review"


@pytest.mark.parametrize(
    ("source", "target", "lang"),
    [
        ("He read The Lord of the Rings.", "Il a lu The Lord.", "fr"),
        ("It is on the table.", "Está en la mesa.", "es"),
        ("The sign says STOP.", "На знаке написано STOP.", "ru"),
    ],
)
def test_names_and_signs_may_stay(look, source, target, lang):
    assert look(MixedFilter(LanguageId()), source, target, lang) is None


def test_a_question_that_asks_nothing_was_answered(look):
    source = "What colour is the circle?"
    assert look(AnsweredFilter(), source, "دائرہ سرخ ہے۔", "ur")[0] == "review"
    assert look(AnsweredFilter(), source, "دائرہ کس رنگ کا ہے؟", "ur") is None
    assert look(AnsweredFilter(), source, "", "ur") is None


def test_a_low_mean_logprob_is_a_note(look):
    doubt = ConfidenceFilter()
    assert look(doubt, "Red.", "سرخ۔", "ur", mean_logprob=-2.0) == (
        "note",
        "mean log probability -2.00",
    )
    assert look(doubt, "Red.", "سرخ۔", "ur", mean_logprob=-1.5) is None
    assert look(doubt, "Red.", "سرخ۔", "ur") is None
