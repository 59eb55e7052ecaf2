"""English that came back untranslated is seen; shared words and copied turns are not blamed."""

import pytest

from palo.schemas import TurnStatus
from refine.filters.source_copy import SourceCopyFilter


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
    found = look(SourceCopyFilter(), source, target, lang)
    assert found == (verdict, "same text as the English")


@pytest.mark.parametrize(
    ("source", "target"), [("Two.", "دو۔"), ("20%", "20%"), ("<image>", "<image>"), ("`x`", "`x`")]
)
def test_translations_and_texts_without_words_are_no_copies(look, source, target):
    assert look(SourceCopyFilter(), source, target) is None


def test_a_turn_that_translate_copied_on_purpose_is_none(look):
    assert look(SourceCopyFilter(), "A B C D", "A B C D", status=TurnStatus.COPIED) is None
