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
        ours, theirs = _folded(pair.source_words), _folded(pair.target_words)
        # nearly all texts differ in their first letter already
        if _first_letter(ours) != _first_letter(theirs):
            return None
        source = _words(ours)
        if not source or source != _words(theirs):
            return None
        if "Latin" not in info(lang).scripts:
            verdict = Verdict.REJECT if len(source) > _NAME_WORDS else Verdict.REVIEW
        elif len(source) <= _SHARED_WORDS:
            verdict = Verdict.NOTE
        else:
            verdict = Verdict.REJECT if len(source) > _NAME_WORDS else Verdict.REVIEW
        return self.finding(verdict, "same text as the English", 1.0)


def _folded(text: str) -> str:
    return unicodedata.normalize("NFC", text).casefold()


def _first_letter(folded: str) -> str:
    return next((char for char in folded if char.isalpha()), "")


def _words(folded: str) -> list[str]:
    """Words that hold a letter; marks and numbers are the same everywhere."""
    bare = "".join(char if char.isalpha() else " " for char in folded)
    return bare.split()
