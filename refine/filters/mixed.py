"""English sentences, halves of them, or lone words of them, left in the translation."""

from collections.abc import Sequence, Set
from itertools import pairwise

import regex

from palo.checks.faults import phrases
from palo.checks.language import LanguageId
from palo.languages import info
from palo.schemas import Finding, Verdict
from refine.filters.contract import Filter, Pair, quoted

# So many words of the English in a row, one of them in small letters, are no name.
_MIN_WORDS = 3
_MIN_PAIRED_LETTERS = 3  # of the longest word in small letters, where two stand in a row
_MIN_LETTERS = 12
_SURE_SHARE = 0.9
_WORD = regex.compile(r"\p{Latin}[\p{Latin}\p{M}'’-]*")
_SENTENCE = regex.compile(r"[^.!?。！？।۔؟…\n]+")
# The languages in Latin letters that `only_english` of phrases.yaml was held against. In others
# such a word may be their own (German "was", "will"), so one alone says nothing.
_HELD_AGAINST = frozenset({"fr", "es"})
# Words that every other English sentence has and no French or Spanish one.
_ENGLISH = regex.compile(
    r"\b(?:the|is|are|was|of|and|with|this|that|it|there|they|you|what|which|to|in the)\b",
    regex.IGNORECASE,
)


class MixedFilter(Filter):
    name = "mixed"
    about = "English words or sentences inside the translation"

    def __init__(self, identifier: LanguageId) -> None:
        self.identifier = identifier

    def look(self, pair: Pair, lang: str) -> Finding | None:
        if lang == "en" or not pair.target_scripts["Latin"]:
            return None
        words = _WORD.findall(pair.target_words)
        is_told = lang in _HELD_AGAINST or "Latin" not in info(lang).scripts
        only = phrases().only_english if is_told else frozenset[str]()
        if found := _echo(pair.source_words, words, only) or self._sentence(pair.target_words):
            return self.finding(Verdict.REVIEW, f"English left in: {quoted(found)}")
        return None

    def _sentence(self, text: str) -> str | None:
        if _ENGLISH.search(text) is None:
            return None
        for match in _SENTENCE.finditer(text):
            sentence = match.group().strip()
            if _ENGLISH.search(sentence) is None:
                continue
            latin = " ".join(_WORD.findall(sentence))
            if len(latin) < _MIN_LETTERS:
                continue
            seen = self.identifier.detect_letters(latin)
            if seen.lang == "en" and seen.share >= _SURE_SHARE:
                return sentence
        return None


def _echo(source: str, words: Sequence[str], only_english: Set[str]) -> str | None:
    """Words of the English that stand in the translation: one that is only English, or a row."""
    english = _WORD.findall(source)
    small = {word for word in english if word.islower()}
    if small.isdisjoint(words):
        return None
    for word in words:
        if word in small and word in only_english:
            return word
    rows = {(first.lower(), second.lower()) for first, second in pairwise(english)}
    for first, second in pairwise(words):
        if (first.lower(), second.lower()) in rows:
            letters = max(len(word) if word in small else 0 for word in (first, second))
            if letters >= _MIN_PAIRED_LETTERS:
                return f"{first} {second}"
    return _run(" " + " ".join(english).lower() + " ", words)


def _run(source: str, words: Sequence[str]) -> str | None:
    for start in range(len(words) - _MIN_WORDS + 1):
        run = words[start : start + _MIN_WORDS]
        if any(word[0].islower() for word in run) and f" {' '.join(run).lower()} " in source:
            return " ".join(run)
    return None
