"""The contracts between stages: Arrow schemas of the shards and the dataclasses they hold."""

from dataclasses import dataclass, is_dataclass
from enum import StrEnum
from typing import Any, get_args, get_origin, get_type_hints

import pyarrow as pa

IMAGE_TAG = "<image>"


class Role(StrEnum):
    HUMAN = "human"
    GPT = "gpt"


class TurnStatus(StrEnum):
    """Where a target turn came from."""

    VERIFIED = "verified"  # a person accepted or wrote it
    TRANSLATED = "translated"  # the engine wrote it and it passed validation
    COPIED = "copied"  # nothing to translate
    FAILED = "failed"  # every attempt failed validation; the best one is kept (may be empty)


class Verdict(StrEnum):
    """What refine says of a turn; ordered from best to worst."""

    PASS = "pass"
    NOTE = "note"
    REVIEW = "review"
    REJECT = "reject"

    @property
    def severity(self) -> int:
        return list(Verdict).index(self)

    @property
    def flagged(self) -> bool:
        """Whether a person should look at it."""
        return self in (Verdict.REVIEW, Verdict.REJECT)


@dataclass(frozen=True)
class Turn:
    role: Role
    text: str


@dataclass(frozen=True)
class Sample:
    """One SOURCE row; `sample_id` is unique, `source_id` is LLaVA's own and may repeat."""

    sample_id: str
    source_id: str
    image: str | None
    turns: tuple[Turn, ...]
    origin: str


@dataclass(frozen=True)
class TurnMeta:
    """How a target turn came about; `memory_key` is hex, "" for copied turns."""

    status: TurnStatus
    attempts: int
    finish_reason: str
    mean_logprob: float | None
    engine: str
    signature: str
    memory_key: str
    problem: str  # "" or why validation failed, e.g. "truncated"


@dataclass(frozen=True)
class TranslatedSample:
    """One TRANSLATED row; `source`, `target` and `meta` have one entry a turn, in order."""

    sample_id: str
    source_id: str
    lang: str
    image: str | None
    source: tuple[Turn, ...]
    target: tuple[Turn, ...]
    meta: tuple[TurnMeta, ...]
    origin: str


@dataclass(frozen=True)
class Finding:
    """What one filter says of one turn; `score` is the filter's own measure, or None."""

    filter: str
    score: float | None
    verdict: Verdict
    reason: str


@dataclass(frozen=True)
class RefinedSample:
    """One REFINED row: the translation, every finding a turn, the verdicts, and the selection."""

    sample: TranslatedSample
    findings: tuple[tuple[Finding, ...], ...]
    turn_verdicts: tuple[Verdict, ...]
    verdict: Verdict
    kept: bool


_PLAIN = ((bool, pa.bool_()), (int, pa.int32()), (float, pa.float64()), (str, pa.string()))


def _arrow(hint: Any) -> pa.DataType:
    """Arrow's type for the type of a field: plain, of a closed set, `X | None`, tuple of any."""
    if is_dataclass(hint):
        return pa.struct(_fields(hint))
    if get_origin(hint) is tuple:
        return pa.list_(_arrow(get_args(hint)[0]))
    plain = get_args(hint)[0] if get_args(hint) else hint
    return next(made for kind, made in _PLAIN if issubclass(plain, kind))


def _fields(row: Any) -> list[pa.Field]:
    return [pa.field(name, _arrow(hint)) for name, hint in get_type_hints(row).items()]


SOURCE = pa.schema(_fields(Sample))
TRANSLATED = pa.schema(_fields(TranslatedSample))
REFINED = pa.schema([*TRANSLATED, *_fields(RefinedSample)[1:]])  # the sample's own fields are there
