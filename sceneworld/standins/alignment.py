"""Where the stand-in's words start: a word of any language beside the English words it renders.

The same questions are there in ten languages. IBM's first word alignment model (Brown and others
1993, section 4) finds in a second which English words a word renders, and puts `rouge`, `красный`
and `赤` beside `red`. A model that has read English only then understands questions in the others
at once, more than half of them right. Counting which words come together instead leans to frequent
ones and gets half as many (docs/notes/tried.md).
"""

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from palo.languages import ENGLISH

ROUNDS = 8  # of expectation and maximisation
LEAST_SHARE = 0.15  # of a word that an English one stands for; less is chance
OWN_SHARE = 0.25  # how far, in usual lengths, a word stands apart from its English ones,
LANGUAGE_SHARE = 0.5  # and all words of one language together from those of the others

Told = Mapping[str, Sequence[int]]  # by language, the tokens of texts that say the same
Weights = dict[int, float]  # English token -> the share of a word that renders it


def start_together(embeddings: torch.Tensor, told: Sequence[Told], tokenizer: Any) -> None:
    """Moves rows of `embeddings` (tokens, hidden) in place; those of English tokens stay. A word's
    forms (`Rouge`, ` rouge`) are told apart by their tokens, not by what they go with."""
    english = {token for texts in told for token in texts[ENGLISH]}
    names = {token: tokenizer.decode([token]).strip().lower() for token in range(len(embeddings))}
    rendered = align(told, names)
    languages = _languages(told)
    usual = embeddings[sorted(english)].norm(dim=1).mean().item()
    generator, width = torch.Generator().manual_seed(1), embeddings.shape[1]
    apart = {
        lang: torch.randn(width, generator=generator) / math.sqrt(width)
        for lang in sorted(set(languages.values()))
    }
    with torch.no_grad():
        for token, lang in languages.items():
            weights = rendered.get(names[token])
            if token in english or not weights:
                continue
            likeness = sum(share * embeddings[word] for word, share in weights.items())
            place = _of_length(likeness, usual) + LANGUAGE_SHARE * usual * apart[lang]
            embeddings[token] = place + _of_length(embeddings[token], OWN_SHARE * usual)


def _of_length(vector: Any, length: float) -> torch.Tensor:
    return vector * (length / vector.norm())


def _languages(told: Sequence[Told]) -> dict[int, str]:
    """Of every token, the language that has it most often."""
    seen: dict[int, Counter[str]] = defaultdict(Counter)
    for texts in told:
        for lang, tokens in texts.items():
            for token in tokens:
                seen[token][lang] += 1
    return {token: counts.most_common(1)[0][0] for token, counts in seen.items()}


def align(told: Sequence[Told], names: Mapping[int, str]) -> dict[str, Weights]:
    """For every word of the other languages, by name: the English tokens that it renders."""
    words: dict[str, int] = {}
    known: set[tuple[tuple[int, ...], tuple[str, ...]]] = set()  # texts; once is enough
    pairings: list[tuple[int, int, int]] = []  # (place in a text, word, English token)
    places = 0
    for texts in told:
        english = tuple(dict.fromkeys(texts[ENGLISH]))
        for lang, tokens in texts.items():
            said = tuple(dict.fromkeys(names[token] for token in tokens if names[token]))
            if lang == ENGLISH or (english, said) in known:
                continue
            known.add((english, said))
            for name in said:
                word = words.setdefault(name, len(words))
                pairings += [(places, word, token) for token in english]
                places += 1
    shares: dict[str, Weights] = {name: {} for name in words}
    if not pairings:
        return shares
    place, word, token = torch.tensor(pairings).T
    pairs, pair = torch.stack((word, token)).unique(dim=1, return_inverse=True)
    likely = torch.ones(pairs.shape[1], dtype=torch.double)
    for _ in range(ROUNDS):
        each = likely[pair]
        each /= each.new_zeros(places).index_add(0, place, each)[place]
        counts = torch.zeros_like(likely).index_add(0, pair, each)
        likely = counts / _sums(counts, pairs[1])[pairs[1]]
    parts = counts / _sums(counts, pairs[0])[pairs[0]]
    names_in_order = list(words)
    for (number, english_token), part in zip(pairs.T.tolist(), parts.tolist(), strict=True):
        if part > LEAST_SHARE:
            shares[names_in_order[number]][english_token] = part
    return shares


def _sums(counts: torch.Tensor, group: torch.Tensor) -> torch.Tensor:
    return counts.new_zeros(int(group.max()) + 1).index_add(0, group, counts)
