"""The translation's letters must be the language's own: catches English left in."""

from collections import Counter

import regex

from palo.checks.script import script_counts, script_share
from palo.schemas import Finding, Verdict
from refine.filters.contract import Filter, Pair, quoted
from refine.filters.thresholds import Bands, thresholds

_REJECT_SHARE = 0.4  # most of it is in other letters
_UNIT_CHARS = 3
_LATIN_WORD = regex.compile(r"\p{Latin}[\p{Latin}'’-]*")


class ScriptFilter(Filter):
    name = "script"
    about = "letters of another script, such as English left in"

    def __init__(self, bands: Bands | None = None) -> None:
        self.bands = bands

    def look(self, pair: Pair, lang: str) -> Finding | None:
        share = script_share(pair.target_scripts, lang)
        usual = thresholds(lang, self.bands).script_share
        if share is None or share >= usual:
            return None
        share = script_share(without_names(pair), lang)
        if share is None or share >= usual:
            return None
        verdict = Verdict.REJECT if share < _REJECT_SHARE else Verdict.REVIEW
        left = _LATIN_WORD.search(pair.target_words)
        example = f", for example {quoted(left.group())}" if left else ""
        return self.finding(
            verdict, f"{share:.0%} of the letters are of the language's script{example}", share
        )


def without_names(pair: Pair) -> Counter[str]:
    """Letters by script without names, acronyms and units, which may stay in Latin letters.

    A word counts as a name where the English writes it with a capital inside a sentence; at the
    start of one a capital says nothing. A unit stands behind a number ("28 px").
    """
    names = {
        match.group()
        for match in _LATIN_WORD.finditer(pair.source_words)
        if _may_stay(pair.source_words, match.start(), match.group())
    }
    if not names:
        return pair.target_scripts
    rest = _LATIN_WORD.sub(
        lambda match: "" if match.group() in names else match.group(), pair.target_words
    )
    return script_counts(rest)


def _may_stay(text: str, start: int, word: str) -> bool:
    before = text[:start].rstrip(" \"'“‘(")
    if len(word) <= _UNIT_CHARS and before[-1:].isdigit():
        return True
    if word == "I" or not word[0].isupper():
        return False
    if len(word) > 1 and word.isupper():
        return True
    return bool(before) and before[-1] not in ".!?:\n"
