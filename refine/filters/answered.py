"""A question must stay a question: the translator may have answered it."""

from palo.checks.faults import answered
from palo.schemas import Finding, Verdict
from refine.filters.contract import Filter, Pair


class AnsweredFilter(Filter):
    name = "answered"
    about = "the question was answered instead of translated"

    def look(self, pair: Pair, lang: str) -> Finding | None:
        if not pair.target_words or not answered(pair.source, pair.target, lang):
            return None
        return self.finding(Verdict.REVIEW, "the English asks, the translation does not")
