"""One translation for different English texts, anywhere in the language's shards."""

from collections.abc import Mapping
from dataclasses import dataclass

import regex

from palo.schemas import Finding, Verdict
from refine.filters.contract import Filter, Pair, quoted

_WORD = regex.compile(r"[\p{L}\p{M}\p{N}]+")
_NOISE = regex.compile(r"[^\p{L}\p{M}\p{N}]+")
# Sources that share half of their words say nearly the same, and so may their translations.
_OTHER_SOURCE = 0.5
_NEAR_TARGET = 0.8  # of the 4-grams
_GRAM = 4


@dataclass(frozen=True, order=True)
class OtherPair:
    """The beginnings of another turn's source and target."""

    source: str
    target: str


class DuplicateFilter(Filter):
    """Equal targets ask for review, near ones are a note; prompts that repeat are legitimate.

    `others` holds, by source and target, the pairs whose signature the target shares.
    """

    name = "duplicate"
    about = "the same translation stands for another English text"

    def __init__(self, others: Mapping[tuple[str, str], tuple[OtherPair, ...]]) -> None:
        self.others = others

    def look(self, pair: Pair, lang: str) -> Finding | None:
        near: Finding | None = None
        for other in self.others.get((pair.source, pair.target), ()):
            kept_chars = max(len(other.source), len(other.target))
            if _likeness(_words(pair.source[:kept_chars]), _words(other.source)) >= _OTHER_SOURCE:
                continue
            alike = _likeness(_grams(pair.target[: len(other.target)]), _grams(other.target))
            if alike == 1:
                said = f"also the translation of {quoted(other.source)}"
                return self.finding(Verdict.REVIEW, said, alike)
            if alike >= _NEAR_TARGET and near is None:
                said = f"nearly the translation of {quoted(other.source)}"
                near = self.finding(Verdict.NOTE, said, alike)
        return near


def _words(text: str) -> set[str]:
    return set(_WORD.findall(text.casefold()))


def _grams(text: str) -> set[str]:
    bare = _NOISE.sub("", text.casefold())
    return {bare[at : at + _GRAM] for at in range(max(1, len(bare) - _GRAM + 1))}


def _likeness(ours: set[str], theirs: set[str]) -> float:
    """Jaccard's index, 1 for two empty sets."""
    union = len(ours | theirs)
    return len(ours & theirs) / union if union else 1.0
