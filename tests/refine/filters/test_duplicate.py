from palo.schemas import Verdict
from refine.filters import Pair
from refine.filters.duplicate import DuplicateFilter, OtherPair

SOURCE, TARGET = "The dog sleeps on the warm grass.", "یہ تصویر بہت خوبصورت اور رنگین ہے۔"


def found(other_source, other_target, target=TARGET):
    others = {(SOURCE, target): (OtherPair(other_source, other_target),)}
    return DuplicateFilter(others).look(Pair(SOURCE, target), "ur")


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
    assert DuplicateFilter({}).look(Pair(SOURCE, TARGET), "ur") is None
