"""100 x mean(model) / mean(reference), and how far chance alone could have moved it.

Intervals are percentile bootstraps (Efron 1979) over questions: one is drawn with its model's and
its reference's score, and in every language at once, for it is the same picture and the same task.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

_PERCENTILES = (2.5, 97.5)


@dataclass(frozen=True)
class Pair:
    """Scores of one question: the model's and the reference's, 1 to 10, or 0 or 1 beside 1."""

    question_id: str
    category: str
    model: float
    reference: float
    in_language: bool


@dataclass(frozen=True)
class Score:
    """0 to 100 and above; `low` and `high` are the 95% interval, `n` how many questions count."""

    value: float
    low: float
    high: float
    n: int


def score_of(pairs: Sequence[Pair]) -> float:
    """As published: the ratio of means, not the mean of ratios."""
    return 100 * sum(one.model for one in pairs) / sum(one.reference for one in pairs)


def zeroed(pairs: Sequence[Pair]) -> list[Pair]:
    """An answer in another language is worth nothing to who asked."""
    return [one if one.in_language else replace(one, model=0.0) for one in pairs]


class Bootstrap:
    """The same draws of questions for everything that is scored with it."""

    def __init__(self, question_ids: Sequence[str], resamples: int, seed: int) -> None:
        ids = list(dict.fromkeys(question_ids))
        self._places = {one: place for place, one in enumerate(ids)}
        # RandomState: its streams never change (NEP 19)
        drawn = np.random.RandomState(seed).multinomial(
            len(ids), np.full(len(ids), 1 / len(ids)), size=resamples
        )
        self._drawn = drawn.astype(float)  # (resamples, questions): how often each was drawn

    def score(self, pairs: Sequence[Pair]) -> Score | None:
        """None where nothing was scored."""
        return self.mean({"": pairs})

    def mean(self, by_language: Mapping[str, Sequence[Pair]]) -> Score | None:
        """The mean of the languages' scores; None where one of them has none."""
        if not by_language or not all(by_language.values()):
            return None
        values = np.mean([self._ratios(pairs) for pairs in by_language.values()], axis=0)
        low, high = np.percentile(values[~np.isnan(values)], _PERCENTILES)
        value = float(np.mean([score_of(pairs) for pairs in by_language.values()]))
        return Score(value, float(low), float(high), sum(map(len, by_language.values())))

    def _ratios(self, pairs: Sequence[Pair]) -> npt.NDArray[np.float64]:
        """The score of each resample; NaN where it drew none of these questions."""
        sums = np.zeros((2, len(self._places)))
        for one in pairs:
            sums[:, self._places[one.question_id]] += one.model, one.reference
        model, reference = sums @ self._drawn.T
        with np.errstate(invalid="ignore"):  # 0 / 0
            return 100 * model / reference
