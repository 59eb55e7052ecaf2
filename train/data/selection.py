"""Which conversations an epoch has: languages by weight or by temperature, in a shuffled order."""

import zlib
from collections.abc import Sequence

import numpy as np

from palo.errors import UserError
from palo.settings import MixtureWeights


def draw(
    langs: np.ndarray,
    languages: Sequence[str],
    usable: np.ndarray,
    weights: MixtureWeights,
    seed: int,
    epoch: int,
) -> np.ndarray:
    """Indices of one epoch's conversations, shuffled: int64, as many in every epoch.

    `langs` holds a place in `languages` for each conversation. Of a language drawn with weight 2.5
    every conversation comes twice and half of them once more; the halves of following epochs
    complete each other. A pure function of its arguments, on any machine. Raises UserError where
    nothing is left to draw.
    """
    wanted = expected_counts(langs, languages, usable, weights)
    drawn = []
    for code, lang in enumerate(languages):
        rows = np.flatnonzero((langs == code) & usable)
        if not wanted[lang]:
            continue
        whole, rest = divmod(wanted[lang], len(rows))
        drawn += [rows] * whole
        if rest:
            shuffled = _random(seed, zlib.crc32(lang.encode())).permutation(rows)
            places = np.arange(epoch * rest, (epoch + 1) * rest)
            drawn.append(shuffled.take(places, mode="wrap"))
    if not drawn:
        raise UserError(
            f"The mixture's weights leave nothing to train on: of {int(usable.sum())} usable "
            "conversations none is drawn. See train: mixture: in pipelines.yaml."
        )
    order = np.concatenate(drawn).astype(np.int64)
    _random(seed, len(languages), epoch).shuffle(order)
    return order


def expected_counts(
    langs: np.ndarray, languages: Sequence[str], usable: np.ndarray, weights: MixtureWeights
) -> dict[str, int]:
    """Conversations of each language that every epoch draws."""
    counts = np.bincount(langs[usable], minlength=len(languages))
    if weights.temperature is None:
        wanted = counts * [weights.weights.get(lang, 1.0) for lang in languages]
        # + 1e-9: 0.29 x 100 must be 29, whatever floating point makes of it
        return {lang: int(count + 1e-9) for lang, count in zip(languages, wanted, strict=True)}
    return dict(zip(languages, _by_temperature(counts, weights.temperature), strict=True))


def shares(counts: dict[str, int]) -> dict[str, float]:
    """Each language's part of an epoch."""
    total = sum(counts.values())
    return {lang: count / total if total else 0.0 for lang, count in counts.items()}


def _by_temperature(counts: np.ndarray, temperature: float) -> list[int]:
    """Parts of the same total in proportion to n^(1/T); the largest remainders are rounded up."""
    total = int(counts.sum())
    if not total:
        return [0] * len(counts)
    logs = np.log(np.maximum(counts, 1)) / temperature
    power = np.where(counts > 0, np.exp(logs - logs.max()), 0.0)  # small T would overflow
    exact = total * power / power.sum()
    whole = np.floor(exact).astype(np.int64)
    left = total - int(whole.sum())
    order = np.argsort(whole - exact, kind="stable")
    whole[order[:left]] += 1
    return [int(count) for count in whole]


def _random(*seeds: int) -> np.random.RandomState:
    """numpy keeps RandomState's streams the same for ever, unlike Generator's (NEP 19)."""
    words = [seed % 2**32 for seed in seeds]
    return np.random.RandomState(np.random.MT19937(np.random.SeedSequence(words)))
