"""Words around the translation that are the model's own."""

from palo.checks.faults import explanation, leaked_delimiter, preamble
from palo.schemas import Finding, Verdict
from refine.filters.contract import Filter, Pair, quoted


class PreambleFilter(Filter):
    name = "preamble"
    about = "introduces or explains the translation, adds lines, or leaks the prompt's delimiter"

    def look(self, pair: Pair, lang: str) -> Finding | None:
        if mark := leaked_delimiter(pair.source, pair.target):
            return self.finding(Verdict.REJECT, f"leaked delimiter {quoted(mark)}")
        if phrase := preamble(pair.source_words, pair.target_words, lang):
            return self.finding(Verdict.REJECT, f"begins with {quoted(phrase)}")
        if phrase := explanation(pair.source_words, pair.target_words, lang):
            return self.finding(Verdict.REVIEW, f"explains itself: {quoted(phrase)}")
        if "\n" in pair.target_words and "\n" not in pair.source_words:
            return self.finding(Verdict.REVIEW, "several lines where the English is one")
        return None
