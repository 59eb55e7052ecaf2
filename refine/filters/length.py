"""The translation's length must be in proportion: catches truncation and rambling."""

from palo.schemas import Finding, Verdict
from refine.filters.contract import Filter, Pair
from refine.filters.thresholds import Bands, thresholds

# The bands are those of whole sentences. Short texts vary more, so the band is widened by
# 9/n + 100/n² for n characters of English: at most 2% of Tatoeba's gold pairs (20-40 characters)
# fall outside in every language, of one to three words as well.
_ROOM_CHARS = 9
_ROOM_CHARS_SQUARED = 100
_NOTE_ROOM_CHARS = 4
_REJECT_FACTOR = 1.8  # so far outside that no style explains it


class LengthFilter(Filter):
    name = "length"
    about = "much shorter or longer than translations from English usually are"

    def __init__(self, bands: Bands | None = None) -> None:
        self.bands = bands

    def look(self, pair: Pair, lang: str) -> Finding | None:
        source, target = len(pair.source_words), len(pair.target_words)
        if not source or not target:
            return None
        ratio = target / source
        low, high = thresholds(lang, self.bands).length_ratio
        outside = max(low / ratio, ratio / high)
        room = 1 + _ROOM_CHARS / source + _ROOM_CHARS_SQUARED / source**2
        if outside > room * _REJECT_FACTOR:
            verdict = Verdict.REJECT
        elif outside > room:
            verdict = Verdict.REVIEW
        elif outside > 1 + _NOTE_ROOM_CHARS / source:
            verdict = Verdict.NOTE
        else:
            return None
        word = "short" if ratio < low else "long"
        return self.finding(
            verdict, f"too {word}: {target} characters for {source} of English", ratio
        )
