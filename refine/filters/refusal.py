"""The model refused instead of translating."""

from palo.checks.faults import refusal
from palo.schemas import Finding, Verdict
from refine.filters.contract import Filter, Pair, quoted


class RefusalFilter(Filter):
    name = "refusal"
    about = "refuses instead of translating"

    def look(self, pair: Pair, lang: str) -> Finding | None:
        phrase = refusal(pair.source_words, pair.target_words, lang)
        if phrase is None:
            return None
        return self.finding(Verdict.REJECT, f"refuses: {quoted(phrase)}")
