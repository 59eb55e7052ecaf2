"""The right language in a neighbour's letters."""

from palo.checks.script import arabic_letters, traditional_characters
from palo.schemas import Finding, Verdict
from refine.filters.contract import Filter, Pair

_SHOWN = 5


class TraditionalFilter(Filter):
    name = "traditional"
    about = "traditional characters in simplified Chinese"

    def look(self, pair: Pair, lang: str) -> Finding | None:
        if lang != "zh" or not (found := traditional_characters(pair.target_words)):
            return None
        return self.finding(
            Verdict.REVIEW, f"traditional characters: {' '.join(found[:_SHOWN])}", len(found)
        )


class ArabicLettersFilter(Filter):
    name = "arabic_letters"
    about = "Arabic letters where Urdu has its own"

    def look(self, pair: Pair, lang: str) -> Finding | None:
        if lang != "ur" or not (found := arabic_letters(pair.target_words)):
            return None
        said = ", ".join(f"{arabic} for {urdu}" for arabic, urdu in found)
        return self.finding(Verdict.REVIEW, f"Arabic letters: {said}", len(found))
