"""A missing or foreign final mark is a note."""

import pytest

from refine.filters.punctuation import PunctuationFilter


@pytest.mark.parametrize(
    ("target", "lang"),
    [
        ("红色。", "zh"),
        ("لال۔", "ur"),
        ("لال ہے؟", "ur"),
        ("أحمر.", "ar"),
        ("लाल।", "hi"),
        ("लाल.", "hi"),
        ("লাল।", "bn"),
        ("Rouge !", "fr"),
        ("「赤。」", "ja"),
    ],
)
def test_the_languages_own_mark_passes(look, target, lang):
    assert look(PunctuationFilter(), "Red.", target, lang) is None


@pytest.mark.parametrize(
    ("target", "lang", "reason"),
    [
        ("红色", "zh", "no mark at the end"),
        ("红色.", "zh", "ends with '.'"),
        ("لال.", "ur", "ends with '.'"),
        ("লাল.", "bn", "ends with '.'"),
        ("Rouge", "fr", "no mark at the end"),
    ],
)
def test_another_mark_or_none_is_noted(look, target, lang, reason):
    assert look(PunctuationFilter(), "Red.", target, lang) == ("note", reason)


def test_a_source_without_a_mark_asks_for_none(look):
    assert look(PunctuationFilter(), "red", "红色", "zh") is None
