"""A sentence should end with a mark of its language."""

from palo.languages import LANGUAGES, info
from palo.schemas import Finding, Verdict
from refine.filters.contract import Filter, Pair

_MARKS = frozenset("".join(row.final_marks for row in LANGUAGES.values())) | frozenset(".…")
_CLOSING = " \t\r\n\u00a0\u202f\"'“”„«»’」』)）]】*_`"


class PunctuationFilter(Filter):
    """A note only: usage varies (7-12% of gold Bengali and Urdu sentences end otherwise)."""

    name = "punctuation"
    about = "the final mark is missing, or is another language's"

    def look(self, pair: Pair, lang: str) -> Finding | None:
        source, target = pair.source.rstrip(_CLOSING), pair.target.rstrip(_CLOSING)
        if not source or not target or source[-1] not in _MARKS:
            return None
        if target[-1] not in _MARKS:
            return self.finding(Verdict.NOTE, "no mark at the end")
        if target[-1] != "…" and target[-1] not in info(lang).final_marks:
            return self.finding(Verdict.NOTE, f"ends with '{target[-1]}'")
        return None
