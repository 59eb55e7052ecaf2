"""Loops, as language models get stuck in them."""

from palo.checks.faults import repeated_phrase
from palo.schemas import Finding, Verdict
from refine.filters.contract import Filter, Pair, quoted


class RepetitionFilter(Filter):
    name = "repetition"
    about = "a phrase stands three times or more in a row"

    def look(self, pair: Pair, lang: str) -> Finding | None:
        phrase = repeated_phrase(pair.target_words)
        if phrase is None or repeated_phrase(pair.source_words):
            return None
        return self.finding(Verdict.REVIEW, f"repeats {quoted(phrase)} again and again")
