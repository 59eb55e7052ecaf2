"""Two scores out of a judge's reply, or why there are none; nothing is guessed.

The published script takes -1 for a reply that it cannot read, and averages it with the others.
"""

import unicodedata
from dataclasses import dataclass
from enum import StrEnum

import regex

LOWEST, HIGHEST = 1.0, 10.0

_NUMBER = r"\d+(?:\.\d+)?"
_TWO = regex.compile(rf"({_NUMBER})(?:\s+|\s*,\s*)({_NUMBER})")
_SOME = regex.compile(rf"[+-]?{_NUMBER}(?:[\s,]+[+-]?{_NUMBER})*")


class Fault(StrEnum):
    """Why a reply gives no scores; the words are put to the judge, too."""

    EMPTY = "it is empty"
    PROSE = "its first line is not two numbers alone"
    COUNT = "its first line holds not two numbers but more or fewer"
    RANGE = "a score is not from 1 to 10"
    STEP = "a score is neither a whole nor a half point"


@dataclass(frozen=True)
class Scores:
    """In the order in which the answers were shown."""

    first: float
    second: float


def read_scores(reply: str) -> Scores | Fault:
    """The two numbers that the first line with anything on it consists of.

    Digits of any script count (full-width ones, Arabic ones): a judge may write as it reads.
    """
    lines = [line.strip() for line in unicodedata.normalize("NFKC", reply).split("\n")]
    line = next((line for line in lines if line), "").rstrip(".")
    if not line:
        return Fault.EMPTY
    if (found := _TWO.fullmatch(line)) is None:
        return Fault.COUNT if _SOME.fullmatch(line) else Fault.PROSE
    first, second = (float(number) for number in found.groups())
    if not all(LOWEST <= score <= HIGHEST for score in (first, second)):
        return Fault.RANGE
    if any(score * 2 % 1 for score in (first, second)):
        return Fault.STEP
    return Scores(first, second)
