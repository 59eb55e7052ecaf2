"""What happens in a run, as values; display, event file and metrics file are made from them."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class EventKind(StrEnum):
    STARTED = "started"
    PROGRESS = "progress"
    SHARD_WRITTEN = "shard written"
    FINISHED = "language finished"
    ERROR = "error"


@dataclass(frozen=True)
class Started:
    lang: str
    turns: int
    signature: str
    prompt_version: str

    kind = EventKind.STARTED


@dataclass(frozen=True)
class Progress:
    """Where a language stands; counts are of this run, `translate.fill.FillCounts` says of what.

    `output_tokens_per_s` and `segments_per_s` are of the last moments, `eta_s` follows from them;
    None while nothing has been answered.
    """

    lang: str
    turns: int
    turns_done: int
    sent: int
    finished: int
    reused: int
    copied: int
    retried: int
    failures: dict[str, int]
    prompt_tokens: int
    output_tokens: int
    output_tokens_per_s: float | None
    segments_per_s: float | None
    eta_s: float | None
    elapsed_s: float

    kind = EventKind.PROGRESS


@dataclass(frozen=True)
class ShardWritten:
    """`number` of `shards`: its place among those of the language."""

    lang: str
    shard: str
    number: int
    shards: int

    kind = EventKind.SHARD_WRITTEN


@dataclass(frozen=True)
class Finished:
    """A language is done; `whole` is the audit's verdict, `audit` what the manifest says of it."""

    lang: str
    whole: bool
    samples: int
    turns: int
    by_status: dict[str, int]
    problems: dict[str, int]
    sent: int
    retried: int
    shards: int
    written: int
    audit: dict[str, object]
    elapsed_s: float

    kind = EventKind.FINISHED


@dataclass(frozen=True)
class Failed:
    """The run ends here; what was translated is kept."""

    lang: str
    error: str
    message: str

    kind = EventKind.ERROR


Event = Started | Progress | ShardWritten | Finished | Failed
Sink = Callable[[Event], None]


def nowhere(event: Event) -> None:
    """The sink of a run that nobody watches."""
