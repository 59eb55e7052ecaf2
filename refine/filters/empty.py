"""A translation must say something where the source does."""

from palo.schemas import Finding, Verdict
from refine.filters.contract import Filter, Pair


class EmptyFilter(Filter):
    name = "empty"
    about = "there is no translation"

    def look(self, pair: Pair, lang: str) -> Finding | None:
        if _says_something(pair.target_words) or not _says_something(pair.source_words):
            return None
        return self.finding(Verdict.REJECT, "the translation is empty")


def _says_something(text: str) -> bool:
    return any(map(str.isalnum, text))
