"""Invisible and bidirectional control characters that a translator has no reason to write."""

from palo.checks.hidden import code_point, hidden_characters
from palo.schemas import Finding, Verdict
from refine.filters.contract import Filter, Pair


class InvisibleFilter(Filter):
    name = "invisible"
    about = "invisible characters, such as zero-width spaces and bidi overrides"

    def look(self, pair: Pair, lang: str) -> Finding | None:
        found = hidden_characters(pair.source, pair.target)
        if not found:
            return None
        named = ", ".join(code_point(char) for char in sorted(found))
        return self.finding(Verdict.REVIEW, f"invisible characters: {named}", float(found.total()))
