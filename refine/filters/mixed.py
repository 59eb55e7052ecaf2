"""English sentences, or halves of them, left in the translation."""

import regex

from palo.checks.language import LanguageId
from palo.schemas import Finding, Verdict
from refine.filters.contract import Filter, Pair, quoted

# So many words of the English in a row, one of them in small letters, are no name.
_MIN_WORDS = 3
_MIN_LETTERS = 12
_SURE_SHARE = 0.9
_WORD = regex.compile(r"[A-Za-z][A-Za-z'’-]*")
_SENTENCE = regex.compile(r"[^.!?。！？।۔؟…\n]+")
# Words that every other English sentence has and no French or Spanish one.
_ENGLISH = regex.compile(
    r"\b(?:the|is|are|was|of|and|with|this|that|it|there|they|you|what|which|to|in the)\b",
    regex.IGNORECASE,
)


class MixedFilter(Filter):
    name = "mixed"
    about = "a stretch of English inside the translation"

    def __init__(self, identifier: LanguageId) -> None:
        self.identifier = identifier

    def look(self, pair: Pair, lang: str) -> Finding | None:
        if lang == "en" or _ENGLISH.search(pair.target_words) is None:
            return None
        if found := _echo(pair) or self._english_sentence(pair.target_words):
            return self.finding(Verdict.REVIEW, f"English left in: {quoted(found)}")
        return None

    def _english_sentence(self, text: str) -> str | None:
        for match in _SENTENCE.finditer(text):
            sentence = match.group().strip()
            if len(_ENGLISH.findall(sentence)) < 1:
                continue
            latin = " ".join(_WORD.findall(sentence))
            if len(latin) < _MIN_LETTERS:
                continue
            seen = self.identifier.detect_letters(latin)
            if seen.lang == "en" and seen.share >= _SURE_SHARE:
                return sentence
        return None


def _echo(pair: Pair) -> str | None:
    """Words of the English that stand in the translation in the same order, in a row."""
    source = " " + " ".join(_WORD.findall(pair.source_words)).lower() + " "
    words = _WORD.findall(pair.target_words)
    for start in range(len(words) - _MIN_WORDS + 1):
        run = words[start : start + _MIN_WORDS]
        if any(word[0].islower() for word in run) and f" {' '.join(run).lower()} " in source:
            return " ".join(run)
    return None
