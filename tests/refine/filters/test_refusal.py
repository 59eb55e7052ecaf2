"""Refusals are rejected."""

from refine.filters.refusal import RefusalFilter


def test_a_refusal_is_rejected(look):
    assert look(RefusalFilter(), "Red.", "Sorry, I can't do that.", "bn") == (
        "reject",
        "refuses: 'sorry, i can't'",
    )
    assert look(RefusalFilter(), "Red.", "抱歉，我无法翻译。", "zh")[0] == "reject"
    assert look(RefusalFilter(), "Red.", "سرخ۔") is None
