"""Common words and how nine languages say them: whether two texts can mean the same.

lexicon.tsv holds a row a notion: English words as they stand, and per language the beginnings of
words that say it (anywhere in a word where no spaces part them, and in Arabic, whose particles
are written together). lexicon_weights.tsv says what finding or missing each is worth: the log of
how much likelier that is in a translation than in the translation of another sentence, counted on
the even rows of benchmarks/gold by benchmarks/filters.py --weights.
"""

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np
import regex

_INSIDE = frozenset({"zh", "ja", "ar"})
_ENGLISH_WORD = regex.compile(r"[a-z]+(?:'[a-z]+)?")
_NO_WORD = regex.compile(r"[^\p{L}\p{M}\p{N}'’]+")

# What a notion is expected to score before any row is counted: found in 77% of translations.
_PRIOR_FOUND, _PRIOR_ROWS = 2.0, 2.6
_MOST_FOUND, _LEAST_CHANCE, _MOST_CHANCE = 0.97, 0.02, 0.9


@dataclass(frozen=True)
class NotionWeights:
    """What it says of a pair that the notion is found in the target, and that it is missing."""

    found: float
    missing: float


def agreement(source: str, target: str, lang: str) -> tuple[float, list[str]]:
    """How well the target says the common words of the source: > 0 speaks for a translation. With
    it the English words that are missed."""
    wanted = notions(source)
    text = comparable(target, lang) if wanted else ""
    beginnings, weights = _beginnings(lang), _weights(lang)
    score, missing = 0.0, []
    for notion, word in wanted.items():
        if any(beginning in text for beginning in beginnings[notion]):
            score += weights[notion].found
        else:
            score += weights[notion].missing
            missing.append(word)
    return score, missing


def notions(source: str) -> dict[int, str]:
    """The notions of an English text by their row, each with the word that stands for it."""
    table = _english()
    words = _ENGLISH_WORD.findall(source.lower().replace("’", "'"))
    return {notion: word for word in words if (notion := table.get(word)) is not None}


def count_weights(pairs: Iterable[tuple[str, str]], lang: str) -> list[NotionWeights]:
    """The weights of every notion, counted on translations of people."""
    beginnings = _beginnings(lang)
    met, named = [], []
    for source, target in pairs:
        text, wanted = comparable(target, lang), notions(source)
        met.append([any(beginning in text for beginning in said) for said in beginnings])
        named.append([notion in wanted for notion in range(len(beginnings))])
    is_met, is_named = (np.array(rows, dtype=bool) for rows in (met, named))
    hits = (is_met & is_named).sum(axis=0) + _PRIOR_FOUND
    share = np.minimum(_MOST_FOUND, hits / (is_named.sum(axis=0) + _PRIOR_ROWS))
    chance = np.clip(is_met.mean(axis=0), _LEAST_CHANCE, _MOST_CHANCE)
    told = np.log(share / chance).clip(min=0).round(2)
    missed = np.log((1 - share) / (1 - chance)).clip(max=0).round(2)
    return list(map(NotionWeights, told.tolist(), missed.tolist()))


def comparable(text: str, lang: str) -> str:
    """Case-folded words with one space before each."""
    plain = unicodedata.normalize("NFC", text).casefold()
    return plain if lang in _INSIDE else f" {_NO_WORD.sub(' ', plain)}"


def languages() -> Sequence[str]:
    return _table()[0][1:]


def english_words() -> list[str]:
    """The first English word of each notion."""
    return [row[0].split()[0] for row in _table()[1:]]


@cache
def _table(name: str = "lexicon.tsv") -> list[list[str]]:
    text = resources.files(__package__).joinpath(name).read_text("utf-8")
    return [line.split("\t") for line in text.split("\n") if line]


@cache
def _english() -> dict[str, int]:
    """The first notion that names a word has it."""
    named = [(word, row) for row, cells in enumerate(_table()[1:]) for word in cells[0].split()]
    return dict(reversed(named))


@cache
def _beginnings(lang: str) -> list[tuple[str, ...]]:
    column, space = _table()[0].index(lang), "" if lang in _INSIDE else " "
    return [
        tuple(
            space + unicodedata.normalize("NFC", beginning).casefold()
            for beginning in row[column].split("/")
        )
        for row in _table()[1:]
    ]


@cache
def _weights(lang: str) -> list[NotionWeights]:
    header, *rows = _table("lexicon_weights.tsv")
    column = header.index(lang)
    return [NotionWeights(*map(float, row[column].split("/"))) for row in rows]
