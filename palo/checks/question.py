"""Finds questions that were answered instead of translated."""

from functools import cache

import regex

from palo.checks.phrases import phrases

_MARKS = frozenset("?？؟⁇")


def answered(source: str, target: str, lang: str) -> bool:
    """Whether an English question became a text that asks nothing.

    A question mark of any script asks; where careless writers leave it out, so does a particle at
    the end of a sentence (Chinese, Japanese) or a question word at its start (Arabic, Hindi,
    Bengali, Urdu). Of 1,336 questions of benchmarks/gold 28 have neither.
    """
    if not source.rstrip().endswith("?") or not _MARKS.isdisjoint(target):
        return False
    asking = _asking(lang)
    return asking is None or asking.search(target) is None


@cache
def _asking(lang: str) -> "regex.Pattern[str] | None":
    first, last = phrases().asks_first.get(lang), phrases().asks_last.get(lang)
    if first:
        words = "|".join(map(regex.escape, first))
        return regex.compile(rf"(?:^|[.!۔।\n،])\W*(?:{words})\b")
    if last:
        words = "|".join(map(regex.escape, last))
        return regex.compile(rf"(?:{words})[\s\p{{P}}]*(?:$|[。！…\n」』])")
    return None
