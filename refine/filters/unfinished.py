"""A translation that stops in the middle although the engine says that it is whole."""

import regex

from palo.languages import LANGUAGES
from palo.schemas import Finding, Verdict
from refine.filters.contract import Filter, Pair
from refine.filters.thresholds import Bands, thresholds

_MARKS = frozenset("".join(row.final_marks for row in LANGUAGES.values())) | frozenset(".…")
_CLOSING = " \t\r\n\u00a0\u202f\"'“”„«»’」』)）]】*_`"
_ENDS = _MARKS | frozenset(":：;；؛-–—")
# A text without its second half is half as long as usual; what misses a mark by habit is not.
_SHORTER = 0.85
_SHORT_CHARS, _MIN_CHARS = 20, 8  # of English; the length of shorter texts says little, or nothing
_OPEN, _CLOSED = regex.compile("[(（「『«“【]"), regex.compile("[)）」』»”】]")


class UnfinishedFilter(Filter):
    """The missing mark alone is a note of `punctuation`: 0-3% of gold rows miss it, ours to ask.

    Together with a text shorter than usual, or a bracket that nothing closes, it asks for review.
    """

    name = "unfinished"
    about = "stops without a final mark, shorter than usual"

    def __init__(self, bands: Bands | None = None) -> None:
        self.bands = bands

    def look(self, pair: Pair, lang: str) -> Finding | None:
        source, target = pair.source_words.rstrip(_CLOSING), pair.target_words.rstrip(_CLOSING)
        if (
            len(source) < _MIN_CHARS
            or not target
            or source[-1] not in _MARKS
            or target[-1] in _ENDS
        ):
            return None
        bands = thresholds(lang, self.bands)
        usual = bands.usual_ratio
        ratio = len(target) / len(source)
        share = _SHORTER if len(source) >= _SHORT_CHARS else bands.short_unfinished_share
        if ratio < usual * share:
            return self.finding(
                Verdict.REVIEW,
                f"no mark at the end, {ratio / usual:.0%} of the usual length",
                ratio,
            )
        opened = len(_OPEN.findall(pair.target_words)) - len(_CLOSED.findall(pair.target_words))
        balanced = len(_OPEN.findall(pair.source_words)) == len(_CLOSED.findall(pair.source_words))
        if opened > 0 and balanced:
            return self.finding(
                Verdict.REVIEW, "no mark at the end, and a bracket left open", ratio
            )
        return None
