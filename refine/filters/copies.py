"""Texts that stand where they should not: the English itself, or another text's translation."""

import unicodedata

import regex

from palo.languages import info
from palo.schemas import Finding, TurnStatus, Verdict
from refine.filters import Filter, TurnPair, quoted

# Languages in Latin letters share words with English ("Orange.", "Non."): one word proves
# nothing, and a few may be a name. Elsewhere nothing but names and numbers may stay.
_SHARED_WORDS = 1
_NAME_WORDS = 3

_WORD = regex.compile(r"[\p{L}\p{M}\p{N}]+")
# Sources that share half of their words say nearly the same, and so may their translations.
_OTHER_SOURCE = 0.5
_NEAR_TARGET = 0.8  # of the 4-grams
_GRAM = 4


class SourceCopyFilter(Filter):
    name = "source_copy"
    about = "the translation is the English text"

    def look(self, pair: TurnPair, lang: str) -> Finding | None:
        if pair.status is TurnStatus.COPIED:
            return None
        ours, theirs = _folded(pair.source_words), _folded(pair.target_words)
        # nearly all texts differ in their first letter already
        if next(filter(str.isalpha, ours), "") != next(filter(str.isalpha, theirs), ""):
            return None
        words = _words(ours)
        if not words or words != _words(theirs):
            return None
        if "Latin" in info(lang).scripts and len(words) <= _SHARED_WORDS:
            verdict = Verdict.NOTE
        else:
            verdict = Verdict.REJECT if len(words) > _NAME_WORDS else Verdict.REVIEW
        return self.finding(verdict, "same text as the English", 1.0)


def _folded(text: str) -> str:
    return unicodedata.normalize("NFC", text).casefold()


def _words(folded: str) -> list[str]:
    """Words that hold a letter; marks and numbers are the same everywhere."""
    return "".join(char if char.isalpha() else " " for char in folded).split()


class DuplicateFilter(Filter):
    """Equal targets ask for review, near ones are a note; prompts that repeat are legitimate."""

    name = "duplicate"
    about = "the same translation stands for another English text"

    def look(self, pair: TurnPair, lang: str) -> Finding | None:
        near: Finding | None = None
        for other in pair.others:
            kept_chars = max(len(other.source), len(other.target))
            ours = set(_WORD.findall(pair.source[:kept_chars].casefold()))
            theirs = set(_WORD.findall(other.source.casefold()))
            if _likeness(ours, theirs) >= _OTHER_SOURCE:
                continue
            alike = _likeness(_grams(pair.target[: len(other.target)]), _grams(other.target))
            if alike == 1:
                said = f"also the translation of {quoted(other.source)}"
                return self.finding(Verdict.REVIEW, said, alike)
            if alike >= _NEAR_TARGET and near is None:
                said = f"nearly the translation of {quoted(other.source)}"
                near = self.finding(Verdict.NOTE, said, alike)
        return near


def _grams(text: str) -> set[str]:
    bare = "".join(_WORD.findall(text.casefold()))
    return {bare[at : at + _GRAM] for at in range(max(1, len(bare) - _GRAM + 1))}


def _likeness(ours: set[str], theirs: set[str]) -> float:
    """Jaccard's index, 1 for two empty sets."""
    union = len(ours | theirs)
    return len(ours & theirs) / union if union else 1.0
