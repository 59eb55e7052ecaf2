"""Letters are counted by script, in every writing system of the ten languages."""

import pytest

from palo.checks.script import script_counts, script_share, scripts_of


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Two.", {"Latin": 3}),
        ("Dos años", {"Latin": 7}),
        ("红色的圆。", {"Han": 4}),
        ("赤いボール", {"Han": 1, "Kana": 4}),
        ("три круга", {"Cyrillic": 8}),
        ("دائرہ ہے۔", {"Arabic": 7}),
        ("लाल है", {"Devanagari": 3}),  # vowel signs are no letters
        ("লাল", {"Bengali": 2}),
        ("빨강", {"Other": 2}),
        ("12 [3, 4] — ?", {}),
        ("", {}),
    ],
)
def test_letters_are_counted_by_script(text, expected):
    assert dict(script_counts(text)) == expected


def test_japanese_is_written_in_han_and_kana():
    assert scripts_of("ja") == {"Han", "Kana"}
    assert scripts_of("zh") == {"Han"}


@pytest.mark.parametrize(
    ("text", "lang", "share"),
    [
        ("红色", "zh", 1.0),
        ("红色abc", "zh", 6 / 9),  # a Han character counts as three letters
        ("赤いabc", "ja", 5 / 8),  # a kana as two
        ("Two.", "ur", 0.0),
        ("دو abc", "ur", 2 / 5),
        ("12", "ur", None),
    ],
)
def test_the_share_is_weighted(text, lang, share):
    assert script_share(script_counts(text), lang) == share
