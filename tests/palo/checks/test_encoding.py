"""Text that went through the wrong encoding is found, good text of any language is not."""

import pytest

from palo.checks.encoding import entity, lost_letters, mojibake

TEXTS = {
    "fr": "Où est l'élève ?",
    "es": "El niño está aquí.",
    "ru": "Круг красный.",
    "ar": "الدائرة حمراء.",
    "hi": "वृत्त लाल है।",
    "bn": "বৃত্তটি লাল।",
    "ur": "دائرہ سرخ ہے۔",
    "zh": "圆是红色的。",
    "ja": "円は赤いです。",
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("wrong", ["latin-1", "cp1252"])
def test_utf_8_read_in_a_western_encoding_is_found(text, wrong):
    data = text.encode("utf-8")
    # the five bytes that Windows-1252 leaves open come through as they are
    damaged = "".join(bytes([byte]).decode(wrong, "ignore") or chr(byte) for byte in data)
    assert mojibake(text) is None
    assert mojibake(damaged) is not None


@pytest.mark.parametrize(
    "text", ["« Je n'y ai jamais pensé\u00a0», dit-il.", "voilà\u00a0«\u00a0ça\u00a0»", "¿Qué?»"]
)
def test_french_and_spanish_marks_are_no_damage(text):
    assert mojibake(text) is None


@pytest.mark.parametrize(
    ("source", "target", "found"),
    [
        ("The circle is red.", "???? ???.", "????"),
        ("Really???", "????", None),
        ("What? Who?", "क्या? कौन?", None),
        ("The boy", "El ni?o est? aqu?", None),
    ],
)
def test_question_marks_for_letters(source, target, found):
    assert lost_letters(source, target) == found


def test_an_entity_counts_unless_the_source_has_it():
    assert entity("Tom & Jerry", "Tom &amp; Jerry") == "&amp;"
    assert entity("write &amp; here", "écrivez &amp; ici") is None
    assert entity("red", "&#1575;&#1604;") == "&#1575;"
