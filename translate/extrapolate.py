"""From a measured sample to a total with a 95 % interval.

Segments are ordered by length and cut into strata, from each of which two are drawn: so the sample
has the mix of the whole, also in its long tail. Within that the total follows the lengths by the
combined ratio estimator: T = X * sum(N_h mean(y_h)) / sum(N_h mean(x_h)), where x is a segment's
characters and y its tokens. Its variance is that of the residuals y - R x within the strata, with
the finite population correction (Cochran, Sampling Techniques, 1977, 6.11). A sample of everything
leaves no uncertainty. Speed is tokens over time in the stretch where the engine had its full load;
its error comes from blocks of that stretch, so that answers that come in bursts are not taken for
independent.
"""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import NormalDist, variance

_Z = NormalDist().inv_cdf(0.975)
_BLOCKS = 10


@dataclass(frozen=True)
class Estimate:
    """`half` is half the width of the 95 % interval."""

    value: float
    half: float

    @property
    def low(self) -> float:
        return max(0.0, self.value - self.half)

    @property
    def high(self) -> float:
        return self.value + self.half

    @property
    def share(self) -> float:
        """`half` as a share of the value."""
        return self.half / self.value if self.value else 0.0


@dataclass(frozen=True)
class Unit:
    """A segment to translate; `size` is its characters, `prompt_size` its prompt's."""

    key: bytes
    size: int
    prompt_size: int


@dataclass(frozen=True)
class Stratum:
    """`units` segments of like size, of which those in `drawn` are translated."""

    units: int
    drawn: tuple[Unit, ...]


def draw(units: Sequence[Unit], num: int, seed: int) -> list[Stratum]:
    """About `num` units, two a stratum; the choice depends on keys and seed, not on the order."""
    ordered = sorted(units, key=lambda unit: (unit.size, _rank(unit, seed)))
    if num >= len(ordered):
        return [Stratum(len(ordered), tuple(ordered))] if ordered else []
    strata = max(1, num // 2)
    cuts = [round(len(ordered) * at / strata) for at in range(strata + 1)]
    found = []
    for start, end in pairwise(cuts):
        members = sorted(ordered[start:end], key=lambda unit: _rank(unit, seed))
        found.append(Stratum(len(members), tuple(members[:2])))
    return found


def ratio_total(
    strata: Sequence[Stratum], xs: dict[bytes, float], ys: dict[bytes, float], total_x: float
) -> Estimate:
    """The total of y over all units, from the drawn ones' x and y and the known total of x."""
    sum_x = sum(_expanded(stratum, xs) for stratum in strata)
    ratio = sum(_expanded(stratum, ys) for stratum in strata) / sum_x if sum_x else 0.0
    spreads = []
    for stratum in strata:
        drawn = len(stratum.drawn)
        if drawn >= 2:
            left = variance([ys[unit.key] - ratio * xs[unit.key] for unit in stratum.drawn])
            spreads.append((stratum.units * (stratum.units - drawn) * left / drawn, drawn - 1))
    spread = sum(part for part, _ in spreads)
    if not spread:
        return Estimate(ratio * total_x, 0.0)
    # Satterthwaite: a few strata of long segments may bring nearly all of the variance
    degrees = spread**2 / sum(part**2 / freedom for part, freedom in spreads)
    return Estimate(ratio * total_x, _student(degrees) * math.sqrt(spread))


def speed(answers: Sequence[tuple[float, int]]) -> Estimate | None:
    """Tokens a second from (time, tokens) of answers in order; the first only starts the clock.

    None where they are too few or came at one moment.
    """
    blocks = min(_BLOCKS, len(answers) - 1)
    if blocks < 2:
        return None
    cuts = [round((len(answers) - 1) * at / blocks) for at in range(blocks + 1)]
    times = [answers[cut][0] for cut in cuts]
    spans = [end - start for start, end in pairwise(times)]
    tokens = [
        sum(number for _, number in answers[start + 1 : end + 1]) for start, end in pairwise(cuts)
    ]
    if sum(spans) <= 0 or not sum(tokens):
        return None
    rate = sum(tokens) / sum(spans)
    residuals = [number - rate * span for number, span in zip(tokens, spans, strict=True)]
    error = math.sqrt(variance(residuals) * blocks) / sum(spans)
    return Estimate(rate, _student(blocks - 1) * error)


def quotient(above: Estimate, below: Estimate) -> Estimate:
    """By the delta method, the two taken as independent."""
    value = above.value / below.value
    return Estimate(value, value * math.hypot(above.share, below.share))


def together(parts: Sequence[Estimate]) -> Estimate:
    """The sum of independent estimates."""
    return Estimate(sum(part.value for part in parts), math.hypot(*(part.half for part in parts)))


def _expanded(stratum: Stratum, values: dict[bytes, float]) -> float:
    mean = sum(values[unit.key] for unit in stratum.drawn) / len(stratum.drawn)
    return stratum.units * mean


def _student(degrees: float) -> float:
    """The 97.5 % point of Student's t (Abramowitz and Stegun, 26.7.5, two terms)."""
    second = (5 * _Z**5 + 16 * _Z**3 + 3 * _Z) / 96
    return _Z + (_Z**3 + _Z) / (4 * degrees) + second / degrees**2


def _rank(unit: Unit, seed: int) -> bytes:
    return hashlib.blake2b(unit.key, digest_size=8, salt=seed.to_bytes(8, "little")).digest()
