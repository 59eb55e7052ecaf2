"""What every filter is: a name, words of what it looks for, a judgement over a column of pairs.

A file here holds the filters of one theme; refine/registry.py lists them all.
"""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from palo.checks.script import script_counts
from palo.checks.structure import Span, protected_spans, without_protected
from palo.schemas import Finding, TurnStatus, Verdict
from refine.filters.thresholds import Bands, Thresholds, bands_of


@dataclass(frozen=True, order=True)
class OtherPair:
    """The beginnings of another turn's source and target."""

    source: str
    target: str


@dataclass(frozen=True)
class TurnPair:
    """One turn and its translation; what several filters look at is worked out once.

    `conversation` names the conversation that the turn is of, "" for a pair that stands alone;
    `others` are turns of other conversations whose target has a signature of this one's
    (refine/signatures.py).
    """

    source: str
    target: str
    status: TurnStatus = TurnStatus.TRANSLATED
    finish_reason: str = "stop"
    problem: str = ""
    mean_logprob: float | None = None
    conversation: str = ""
    others: tuple[OtherPair, ...] = ()

    @cached_property
    def source_spans(self) -> list[Span]:
        return protected_spans(self.source)

    @cached_property
    def target_spans(self) -> list[Span]:
        return protected_spans(self.target)

    @cached_property
    def source_words(self) -> str:
        """The source without protected spans, stripped."""
        return without_protected(self.source, self.source_spans).strip()

    @cached_property
    def target_words(self) -> str:
        return without_protected(self.target, self.target_spans).strip()

    @cached_property
    def target_scripts(self) -> Counter[str]:
        """Letters of the target's words by script."""
        return script_counts(self.target_words)


class Filter(ABC):
    """One thing that can be wrong with a translation, `name` for reports and `about` in words."""

    name: str
    about: str

    @abstractmethod
    def judge(self, pairs: Sequence[TurnPair], lang: str) -> list[Finding | None]:
        """One finding (or None) a pair, in order."""

    def look(self, pair: TurnPair, lang: str) -> Finding | None:
        return self.judge([pair], lang)[0]

    def finding(self, verdict: Verdict, reason: str, score: float | None = None) -> Finding:
        return Finding(self.name, score, verdict, reason)


class Said(NamedTuple):
    """What a rule says of a pair; `score` is its own measure, if it has one."""

    verdict: Verdict
    reason: str
    score: float | None = None


Says = Callable[[TurnPair, str, Thresholds], Said | None]


class Rule(Filter):
    """A filter that is a function of a pair, its language, and what is usual in that language.

    It has the function's name. `bands` are the thresholds by language, None for the shipped ones.
    """

    def __init__(self, says: Says, about: str, bands: Bands | None = None) -> None:
        self.name, self.about = says.__name__, about
        self._says, self._bands = says, bands

    def by(self, bands: Bands) -> "Rule":
        return Rule(self._says, self.about, bands)

    def judge(self, pairs: Sequence[TurnPair], lang: str) -> list[Finding | None]:
        usual = bands_of(lang, self._bands)
        said = (self._says(pair, lang, usual) for pair in pairs)
        return [self.finding(*each) if each else None for each in said]


def rule(about: str) -> Callable[[Says], Rule]:
    """Makes a filter of a function; `about` says what it looks for."""
    return lambda says: Rule(says, about)


def quoted(text: str, limit: int = 40) -> str:
    """A piece of text as a reason quotes it: one line, shortened."""
    line = " ".join(text.split())
    return f"'{line if len(line) <= limit else line[: limit - 1] + '…'}'"
