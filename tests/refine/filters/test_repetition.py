"""Loops ask for review, unless the source repeats itself, too."""

from refine.filters.repetition import RepetitionFilter


def test_a_loop_asks_for_review_in_unspaced_and_spaced_scripts(look):
    assert look(RepetitionFilter(), "Red ball.", "红色的球红色的球红色的球", "zh") == (
        "review",
        "repeats '红色的球' again and again",
    )
    assert look(RepetitionFilter(), "It is red.", "लाल है। लाल है। लाल है। ", "hi")[0] == "review"


def test_a_source_that_repeats_itself_may(look):
    assert (
        look(RepetitionFilter(), "red ball red ball red ball", "红色的球红色的球红色的球") is None
    )
