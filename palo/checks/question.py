"""Finds questions that were answered instead of translated."""

from functools import cache

import regex

from palo.checks.phrases import phrases

_MARKS = frozenset("?？؟⁇")
_NO_SPACES = frozenset({"zh", "ja"})


def answered(source: str, target: str, lang: str) -> bool:
    """Whether an English question became a text that asks nothing.

    A question mark of any script asks, and so does a question word: careless text leaves the mark
    out, and Japanese has か instead.
    """
    if not source.rstrip().endswith("?") or not _MARKS.isdisjoint(target):
        return False
    return _words(lang).search(target) is None


@cache
def _words(lang: str) -> "regex.Pattern[str]":
    """Question words by their beginnings, for they are inflected."""
    words = "|".join(map(regex.escape, phrases().question_words[lang]))
    start = "" if lang in _NO_SPACES else r"(?<!\w)"
    return regex.compile(f"{start}(?:{words})", regex.IGNORECASE)
