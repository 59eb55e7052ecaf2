"""Where the stand-in's words start: a word of any language beside the caption words it goes with.

Phrases of a caption and sentences of its retellings say the same. Counting which token comes with
which caption word costs a second and puts `rouge`, `красный` and `赤い` beside `red`, so that the
model learns to see once and not ten times. Training moves them as it likes.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import torch

LEAST_SEEN = 3  # a token that came fewer times starts anywhere
LEAST_SHARED = 3  # letters that an unseen word must share with a seen one, and
SHARED_SHARE = 0.6  # the share of its own letters, to pass for another form of it
LEAST_MORE = 0.3  # weaker associations are chance
OWN_SHARE = 0.5  # how far, in usual lengths, a token stands apart from the sum of its words

Tellings = Sequence[Sequence[Sequence[Sequence[int]]]]  # scene, telling, phrase, token
Weights = dict[int, float]  # caption token -> how much it goes with the other, 0 to 1


def start_together(embeddings: torch.Tensor, tellings: Tellings, tokenizer: Any) -> None:
    """Moves rows of `embeddings` (tokens, hidden) in place.

    `tellings` holds, for every scene, its tellings (the caption first), each a list of token
    lists, the n-th of which all say the same thing.
    """
    names = {token: tokenizer.decode([token]).strip().lower() for token in range(len(embeddings))}
    together = _associations(tellings, names)
    words = {word for weights in together.values() for word in weights}
    start = embeddings.detach().clone()
    with torch.no_grad():
        for token, name in names.items():
            weights = together.get(name) or together.get(_other_form(name, together), {})
            if weights and token not in words:
                total = sum(share * start[word] for word, share in weights.items())
                embeddings[token] = total + OWN_SHARE * start[token]


def _associations(tellings: Tellings, names: Mapping[int, str]) -> dict[str, Weights]:
    """For every token, by its bare name: 1 for a word that always comes with it, 0 for one that
    comes no more often than anywhere."""
    seen: Counter[str] = Counter()
    pairs: dict[str, Counter[int]] = defaultdict(Counter)
    words: Counter[int] = Counter()
    phrases = 0
    for told in tellings:
        for number, phrase in enumerate(told[0]):
            phrases += 1
            words.update(set(phrase))
            for telling in told:
                for name in {names[token] for token in telling[number]}:
                    seen[name] += 1
                    pairs[name].update(set(phrase))
    together: dict[str, Weights] = {}
    for name, count in seen.items():
        if count < LEAST_SEEN or not name:
            continue
        shares = {}
        for word, both in pairs[name].items():
            usual = words[word] / phrases
            more = (both / count - usual) / (1 - usual) if usual < 1 else 0.0
            if more > LEAST_MORE:
                shares[word] = more
        together[name] = shares
    return together


def _other_form(name: str, together: Mapping[str, Weights]) -> str:
    """The seen word that shares the longest start or end with an unseen one, or ""."""
    best, longest = "", 0
    for other in together:
        shared = max(_shared_start(name, other), _shared_start(name[::-1], other[::-1]))
        if shared >= max(LEAST_SHARED, SHARED_SHARE * len(name)) and shared > longest:
            best, longest = other, shared
    return best


def _shared_start(one: str, two: str) -> int:
    shared = 0
    for ours, theirs in zip(one, two, strict=False):
        if ours != theirs:
            break
        shared += 1
    return shared
