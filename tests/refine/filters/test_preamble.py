"""The model's own words around a translation are caught."""

from refine.filters.preamble import PreambleFilter


def test_preambles_and_delimiters_are_rejected_and_explanations_reviewed(look):
    one = PreambleFilter()
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
