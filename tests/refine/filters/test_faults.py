"""What the engine said of its own work, and what it did instead of translating."""

from palo.schemas import TurnStatus
from refine.filters.faults import (
    answered,
    confidence,
    failed,
    preamble,
    refusal,
    repetition,
    truncated,
)


def test_a_failed_turn_is_rejected_with_its_problem(look):
    found = look(failed, "Two.", "", status=TurnStatus.FAILED, problem="empty")
    assert found == ("reject", "translation failed: empty")
    assert look(failed, "Two.", "دو۔") is None


def test_a_turn_cut_off_at_the_limit_is_rejected(look):
    found = look(truncated, "Two.", "دو", finish_reason="length")
    assert found == ("reject", "cut off at the translator's token limit")
    assert look(truncated, "Two.", "دو۔", finish_reason="stop") is None


def test_a_question_that_asks_nothing_was_answered(look):
    source = "What colour is the circle?"
    assert look(answered, source, "دائرہ سرخ ہے۔", "ur")[0] == "review"
    assert look(answered, source, "دائرہ کس رنگ کا ہے؟", "ur") is None
    assert look(answered, source, "", "ur") is None


def test_a_low_mean_logprob_is_a_note(look):
    doubt = confidence
    assert look(doubt, "Red.", "سرخ۔", "ur", mean_logprob=-2.0) == (
        "note",
        "mean log probability -2.00",
    )
    assert look(doubt, "Red.", "سرخ۔", "ur", mean_logprob=-1.5) is None
    assert look(doubt, "Red.", "سرخ۔", "ur") is None


def test_preambles_and_delimiters_are_rejected_and_explanations_reviewed(look):
    one = preamble
    assert look(one, "Red.", "Here is the translation: سرخ۔") == (
        "reject",
        "begins with 'here is the translation'",
    )
    assert look(one, "Red.", "红色。<|im_end|>", "zh") == (
        "reject",
        "leaked delimiter '<|im_end|>'",
    )
    assert look(one, "Red.", "लाल।\n(नोट: रंग)", "hi") == ("review", "explains itself: '(नोट'")
    assert look(one, "Red.", "লাল।", "bn") is None


def test_a_refusal_is_rejected(look):
    assert look(refusal, "Red.", "Sorry, I can't do that.", "bn") == (
        "reject",
        "refuses: 'sorry, i can't'",
    )
    assert look(refusal, "Red.", "抱歉，我无法翻译。", "zh")[0] == "reject"
    assert look(refusal, "Red.", "سرخ۔") is None


def test_a_loop_asks_for_review_in_unspaced_and_spaced_scripts(look):
    assert look(repetition, "Red ball.", "红色的球红色的球红色的球", "zh") == (
        "review",
        "repeats '红色的球' again and again",
    )
    assert look(repetition, "It is red.", "लाल है। लाल है। लाल है। ", "hi")[0] == "review"


def test_a_source_that_repeats_itself_may(look):
    assert look(repetition, "red ball red ball red ball", "红色的球红色的球红色的球") is None
