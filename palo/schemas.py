"""The contracts between stages: Arrow schemas of the shards and the dataclasses they hold."""

from dataclasses import dataclass
from enum import StrEnum

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


_TURN = pa.struct([("role", pa.string()), ("text", pa.string())])
_META = pa.struct(
    [
        ("status", pa.string()),
        ("attempts", pa.int32()),
        ("finish_reason", pa.string()),
        ("mean_logprob", pa.float64()),
        ("engine", pa.string()),
        ("signature", pa.string()),
        ("memory_key", pa.string()),
        ("problem", pa.string()),
    ]
)
_FINDING = pa.struct(
    [
        ("filter", pa.string()),
        ("score", pa.float64()),
        ("verdict", pa.string()),
        ("reason", pa.string()),
    ]
)

SOURCE = pa.schema(
    [
        ("sample_id", pa.string()),
        ("source_id", pa.string()),
        ("image", pa.string()),
        ("turns", pa.list_(_TURN)),
        ("origin", pa.string()),
    ]
)
TRANSLATED = pa.schema(
    [
        ("sample_id", pa.string()),
        ("source_id", pa.string()),
        ("lang", pa.string()),
        ("image", pa.string()),
        ("source", pa.list_(_TURN)),
        ("target", pa.list_(_TURN)),
        ("meta", pa.list_(_META)),
        ("origin", pa.string()),
    ]
)
REFINED = pa.schema(
    [
        *TRANSLATED,
        pa.field("findings", pa.list_(pa.list_(_FINDING))),
        pa.field("turn_verdicts", pa.list_(pa.string())),
        pa.field("verdict", pa.string()),
        pa.field("kept", pa.bool_()),
    ]
)
