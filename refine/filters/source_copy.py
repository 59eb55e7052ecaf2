"""The English came back untranslated."""

import unicodedata

from palo.languages import info
from palo.schemas import Finding, TurnStatus, Verdict
from refine.filters.contract import Filter, Pair

# Languages in Latin letters share words with English ("Orange.", "Non."): one word proves
# nothing, and a few may be a name. Elsewhere nothing but names and numbers may stay.
_SHARED_WORDS = 1
_NAME_WORDS = 3


class SourceCopyFilter(Filter):
    name = "source_copy"
    about = "the translation is the English text"

    def look(self, pair: Pair, lang: str) -> Finding | None:
        if pair.status is TurnStatus.COPIED:
            return None
        source = _words(pair.source_words)
        if not source or source != _words(pair.target_words):
            return None
        if "Latin" not in info(lang).scripts:
            verdict = Verdict.REJECT if len(source) > _NAME_WORDS else Verdict.REVIEW
        elif len(source) <= _SHARED_WORDS:
            verdict = Verdict.NOTE
        else:
            verdict = Verdict.REJECT if len(source) > _NAME_WORDS else Verdict.REVIEW
        return self.finding(verdict, "same text as the English", 1.0)


def _words(text: str) -> list[str]:
    """Case-folded words that hold a letter; marks and numbers are the same everywhere."""
    folded = unicodedata.normalize("NFC", text).casefold()
    bare = "".join(char if char.isalpha() else " " for char in folded)
    return bare.split()
