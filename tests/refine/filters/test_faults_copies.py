"""English that came back, and translations of another text."""

import pytest

from palo.schemas import TurnStatus, Verdict
from refine.filters import OtherPair, TurnPair
from refine.filters.faults import duplicate, source_copy


@pytest.mark.parametrize(
    ("source", "target", "lang", "verdict"),
    [
        ("The circle is red.", "the circle is red", "fr", "reject"),
        ("The circle is red.", "The circle is red。", "zh", "reject"),
        ("Two circles.", "Two circles.", "es", "review"),
        ("Orange.", "Orange.", "fr", "note"),
        ("Two.", "Two.", "ur", "review"),
        ("Red, 20%.", "Red, 20%.", "hi", "review"),
    ],
)
def test_a_copy_is_found(look, source, target, lang, verdict):
    found = look(source_copy, source, target, lang)
    assert found == (verdict, "same text as the English")


@pytest.mark.parametrize(
    ("source", "target"), [("Two.", "دو۔"), ("20%", "20%"), ("<image>", "<image>"), ("`x`", "`x`")]
)
def test_translations_and_texts_without_words_are_no_copies(look, source, target):
    assert look(source_copy, source, target) is None


def test_a_turn_that_translate_copied_on_purpose_is_none(look):
    assert look(source_copy, "A B C D", "A B C D", status=TurnStatus.COPIED) is None


SOURCE, TARGET = "The dog sleeps on the warm grass.", "یہ تصویر بہت خوبصورت اور رنگین ہے۔"


def found(other_source, other_target, target=TARGET):
    others = (OtherPair(other_source, other_target),)
    return duplicate.look(TurnPair(SOURCE, target, others=others), "ur")


def test_the_translation_of_another_text_asks_for_review_and_names_that_text():
    finding = found("Two men carry a table.", TARGET)
    assert finding.verdict is Verdict.REVIEW
    assert finding.reason == "also the translation of 'Two men carry a table.'"


def test_marks_and_spaces_make_no_other_text():
    assert found("Two men carry a table.", TARGET.replace("۔", " !")).verdict is Verdict.REVIEW


def test_a_near_translation_is_a_note():
    finding = found("Two men carry a table.", TARGET.replace("یہ ", "وہ "))
    assert finding.verdict is Verdict.NOTE


def test_nearly_the_same_english_may_have_the_same_translation():
    assert found("The dog sleeps on the grass.", TARGET) is None
    assert found(SOURCE, TARGET) is None


def test_another_target_that_shares_a_signature_by_chance_is_nothing():
    assert found("Two men carry a table.", "دو آدمی ایک میز اٹھا رہے ہیں۔") is None


def test_a_pair_that_no_signature_named_is_nothing():
    assert duplicate.look(TurnPair(SOURCE, TARGET), "ur") is None
