"""Common words of the English that the translation should say, and does not."""

from palo.checks.lexicon import agreement
from palo.checks.lexicon import languages as known_languages
from palo.schemas import Finding, Verdict
from refine.filters.contract import Filter, Pair
from refine.filters.thresholds import Bands, thresholds

_MIN_WORDS = 4  # shorter answers are said in too many ways
_SHOWN = 4


class LexiconFilter(Filter):
    """Sees some of the translations that stand in the wrong row; see palo/checks/lexicon.py."""

    name = "lexicon"
    about = "common words of the English have no counterpart: perhaps another text's translation"

    def __init__(self, bands: Bands | None = None) -> None:
        self.bands = bands

    def look(self, pair: Pair, lang: str) -> Finding | None:
        if lang not in known_languages() or not pair.target_words:
            return None
        if len(pair.source_words.split()) < _MIN_WORDS:
            return None
        found = agreement(pair.source_words, pair.target_words, lang)
        if found.score >= thresholds(lang, self.bands).lexicon_score:
            return None
        named = ", ".join(found.missing[:_SHOWN])
        return self.finding(Verdict.REVIEW, f"nothing says: {named}", found.score)
