"""What models say around a translation is found, and what sources say themselves is not."""

import pytest

from palo.checks.faults import comparable, explanation, leaked_delimiter, phrases, preamble
from palo.languages import TARGETS


@pytest.mark.parametrize(
    ("lang", "target"),
    [
        ("ur", "Here is the translation: دائرہ سرخ ہے۔"),
        ("fr", "Voici la traduction : Le cercle est rouge."),
        ("zh", "以下是翻译：圆是红色的。"),
        ("ja", "「翻訳：円は赤いです。"),
        ("ar", "إليك الترجمة: الدائرة حمراء."),
        ("hi", "**अनुवाद:** वृत्त लाल है।"),
        ("bn", "অনুবাদ: বৃত্তটি লাল।"),
        ("ru", "Вот перевод: круг красный."),
        ("es", "Claro, aquí tienes: El círculo es rojo."),
        ("ur", "Here’s the translation: دائرہ"),
    ],
)
def test_a_preamble_is_found(lang, target):
    assert preamble("The circle is red.", target, lang) is not None


def test_a_source_that_begins_so_itself_may():
    assert preamble("The translation of the sign?", "La traduction : le panneau ?", "fr") is None


def test_an_explaining_line_is_found():
    target = "圆是红色的。\n\n注：这里的圆是一个图形。"
    assert explanation("The circle is red.", target, "zh") == "注："
    assert explanation("It is red.\nNote: a circle.", "圆。\n注：圆。", "zh") is None


@pytest.mark.parametrize("mark", ["<|im_end|>", "[INST]", "</s>", "ASSISTANT:", "### Response"])
def test_a_leaked_delimiter_is_found(mark):
    assert leaked_delimiter("The circle is red.", f"圆是红色的。{mark}") is not None
    assert leaked_delimiter(f"The circle {mark}", f"圆。{mark}") is None


@pytest.mark.parametrize("lang", TARGETS)
def test_every_language_has_its_phrases(lang):
    for table in (phrases().preamble, phrases().explanation, phrases().refusal):
        assert table[lang]
        assert all(phrase == comparable(phrase) and len(phrase) >= 2 for phrase in table[lang])
