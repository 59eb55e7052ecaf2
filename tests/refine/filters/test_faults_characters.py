"""Damaged and invisible characters are found, good text of any language is not."""

import pytest

from refine.filters import TurnPair
from refine.filters.faults import (
    encoding,
    invisible,
    lost_letters,
    mojibake,
)

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


def test_an_entity_counts_unless_the_source_has_it(look):
    assert look(encoding, "Tom & Jerry", "Tom &amp; Jerry") == ("review", "HTML entity '&amp;'")
    assert look(encoding, "write &amp; here", "écrivez &amp; ici") is None
    assert look(encoding, "red", "&#1575;&#1604;") == ("review", "HTML entity '&#1575;'")


@pytest.mark.parametrize("char", ["\u200b", "\u202e", "\u2066", "\ufeff", "\u00ad", "\x00", "\x9d"])
def test_suspicious_characters_are_counted(char):
    code, two = f"U+{ord(char):04X}", f"سر{char}خ{char}"
    for source, number in (("red", 2), (f"re{char}d", 1)):
        finding = invisible.look(TurnPair(source, two), "ur")
        assert (finding.score, code in finding.reason) == (number, True)


@pytest.mark.parametrize("char", ["\u200c", "\u200d", "\u200e", "\u200f", "\u00a0", "\n", "\t"])
def test_joiners_direction_marks_and_spaces_are_none(char):
    assert invisible.look(TurnPair("red", f"می{char}خواهم"), "ur") is None


def test_a_code_point_is_written_out(look):
    reason = "invisible characters: U+0007, U+200B ZERO WIDTH SPACE"
    assert look(invisible, "red", "سر\u200bخ\x07") == ("review", reason)


def test_invisible_characters_ask_for_review(look):
    found = look(invisible, "The circle is red.", "دائرہ \u202eسرخ ہے۔", "ur")
    assert found == ("review", "invisible characters: U+202E RIGHT-TO-LEFT OVERRIDE")
    assert look(invisible, "The circle is red.", "می\u200cخواهم", "ur") is None


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
    assert look(encoding, "The pupil is there.", target, "fr")[0] == verdict


def test_damage_that_the_english_has_is_no_fault_of_the_translation(look):
    assert look(encoding, "Write \ufffd here.", "Écrivez \ufffd ici.", "fr") is None
