"""English left in is caught by its letters; names, acronyms and units may stay."""

import pytest

from refine.filters.script import ScriptFilter


@pytest.mark.parametrize("lang", ["zh", "ru", "ja", "ar", "hi", "bn", "ur"])
def test_an_english_answer_left_in_is_rejected(look, lang):
    verdict, reason = look(ScriptFilter(), "Two.", "Two.", lang)
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
    assert look(ScriptFilter(), source, target, lang)[0] in ("review", "reject")


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
    assert look(ScriptFilter(), source, target, lang) is None
