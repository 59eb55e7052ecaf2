"""What every filter is, and what it goes by: what is usual in each language.

A file here holds the filters of one theme; refine/judgement.py lists them all. What is usual stands
in thresholds.yaml, and a file of one's own may say otherwise. A language that has no bands yet goes
by those of its script, or by wide ones: better a fault that passes than good rows that do not.
`palo refine calibrate` gives it its own.
"""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from pydantic import Field, ValidationError

from palo.checks.script import script_counts
from palo.checks.structure import Span, protected_spans, without_protected
from palo.errors import UserError, unknown
from palo.languages import LANGUAGES, info
from palo.schemas import Finding, TurnStatus, Verdict
from palo.settings import Section


class Thresholds(Section):
    """Bands of one language; see thresholds.yaml for units and sources."""

    length_ratio: tuple[float, float]
    usual_ratio: float = Field(gt=0)
    script_share: float = Field(ge=0, le=1)
    short_unfinished_share: float = Field(default=0.85, gt=0, le=1)
    foreign_share: float = Field(default=0.95, gt=0, le=1)
    lexicon_score: float = Field(default=-3.0, le=0)
    low_logprob: float = Field(default=-1.5, le=0)


Bands = Mapping[str, Thresholds]
# Without a language of like script: from Chinese's shortest up to some 1.4 times French's longest.
_WIDE_ROOM = 1.4


def bands_of(lang: str, bands: Bands | None = None) -> Thresholds:
    """Those of a language, shipped unless others are given. Raises UserError for an unknown one."""
    bands = shipped() if bands is None else bands
    return bands[lang] if lang in bands else _borrowed(lang)


def without_bands(lang: str, bands: Bands) -> str | None:
    """What a person should know of a language that borrows its bands; None where it has its own."""
    if lang in bands:
        return None
    whose = f"those of {' '.join(alike(lang))}" if alike(lang) else "wide ones"
    return (
        f"{lang}: no bands of its own yet, so {whose} serve, and what goes by word lists is not "
        f"looked for. With verified pairs: palo refine calibrate PAIRS --lang {lang}"
    )


def alike(lang: str) -> tuple[str, ...]:
    """The languages with shipped bands that are written in a script of this one."""
    scripts = {*info(lang).scripts}
    return tuple(known for known in shipped() if scripts & {*info(known).scripts})


@cache
def _borrowed(lang: str) -> Thresholds:
    """Bands that hold all of the languages alike, or all of every language and more."""
    if lang not in LANGUAGES:
        raise unknown("language", lang, LANGUAGES)
    known = alike(lang)
    rows = [shipped()[near] for near in known or shipped()]
    widest: dict[str, Any] = {
        name: min(getattr(row, name) for row in rows) for name in Thresholds.model_fields
    }
    longest = max(row.length_ratio[1] for row in rows) * (1 if known else _WIDE_ROOM)
    widest["length_ratio"] = (widest["length_ratio"][0], longest)
    widest["foreign_share"] = max(row.foreign_share for row in rows)
    return Thresholds(**widest)


@cache
def shipped() -> Bands:
    return _parsed(resources.files(__package__).joinpath("thresholds.yaml").read_text("utf-8"))


def load_thresholds(path: Path | None) -> Bands:
    """The shipped bands, with those of the file in place of them for the languages it has."""
    if path is None:
        return shipped()
    try:
        own = _parsed(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, ValidationError, ValueError) as error:
        said = str(error).strip().split("\n")[0]
        raise UserError(
            f"Cannot read the thresholds {path}: {said}. Write the file anew with `palo refine "
            "calibrate`, or take refine.thresholds_path out of pipelines.yaml."
        ) from None
    return {**shipped(), **own}


def _parsed(text: str) -> dict[str, Thresholds]:
    raw = yaml.safe_load(text)
    if not isinstance(raw, dict) or not isinstance(raw.get("languages"), dict):
        raise ValueError("it has no 'languages'")
    return {lang: Thresholds.model_validate(row) for lang, row in raw["languages"].items()}


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
