"""What happens in a run, as values, and all that follows it: the terminal, `--events`, `--metrics`.

with watching(events_path, metrics_path) as sink:
    translate_language(job, paths, engine, sink=sink)
"""

import json
import math
import re
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Column, Table
from rich.text import Text

from palo.console import console
from palo.errors import UserError
from translate.fill import FillCounts

_WINDOW_S = 60.0  # "recent": long enough for the slowest answers, short enough to notice a change
_STEP_S = 1.0  # between two looks that the window keeps
_EMIT_S = 0.2
_FILE_EVERY_S = 5.0
_PLAIN_EVERY_S = 10.0
_GAUGES = {
    "turns": "Source turns of the language.",
    "turns_done": "Turns whose text is known.",
    "output_tokens_per_s": "Output tokens a second, over the last minute.",
    "segments_per_s": "Segments answered a second, over the last minute.",
    "eta_s": "Seconds until every segment is answered.",
}
_COUNTERS = {
    "sent": "Segments sent to the engine.",
    "finished": "Segments with an entry in the memory.",
    "retried": "Attempts after the first.",
    "reused": "Turns found in a memory, or equal to one on its way.",
    "copied": "Turns with nothing to translate.",
    "prompt_tokens": "Prompt tokens of all attempts.",
    "output_tokens": "Output tokens of all attempts.",
}


@dataclass(frozen=True)
class Event:
    """Of a language; `kind` is its name in the file of events."""

    lang: str
    kind: ClassVar[str]

    def __init_subclass__(cls, kind: str) -> None:
        cls.kind = kind


@dataclass(frozen=True)
class Started(Event, kind="started"):
    turns: int
    signature: str
    prompt_version: str


@dataclass(frozen=True)
class Progress(Event, kind="progress"):
    """Where a language stands; counts are of this run, `translate.fill.FillCounts` says of what.
    `output_tokens_per_s` and `segments_per_s` are of the last moments, `eta_s` follows from them;
    None while nothing has been answered."""

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


@dataclass(frozen=True)
class ShardWritten(Event, kind="shard written"):
    """`number` of `shards`: its place among those of the language."""

    shard: str
    number: int
    shards: int


@dataclass(frozen=True)
class Finished(Event, kind="language finished"):
    """A language is done; `whole` is the audit's verdict, `audit` what the manifest says of it."""

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


@dataclass(frozen=True)
class Failed(Event, kind="error"):
    """The run ends here; what was translated is kept."""

    error: str
    message: str


Sink = Callable[[Event], None]
Monotonic = Callable[[], float]


class Meter:
    """The filler's `watch` for a language: tells the sink a few times a second where it stands."""

    def __init__(self, lang: str, turns: int, sink: Sink, monotonic: Monotonic) -> None:
        self._lang, self._turns, self._sink, self._monotonic = lang, turns, sink, monotonic
        self._start_s = monotonic()
        self._told_s = -_EMIT_S
        self._looks: deque[tuple[float, int, int]] = deque()  # time, finished, output tokens

    def __call__(self, counts: FillCounts, last: bool = False) -> None:
        """The run's last word is told whenever the one before was."""
        now_s = self._monotonic()
        if last or now_s - self._told_s >= _EMIT_S:
            self._told_s = now_s
            self._sink(self.look(now_s, counts))

    def look(self, now_s: float, counts: FillCounts) -> Progress:
        """The window begins at the first answer, so no start-up and no memory hit is in it."""
        if counts.finished and (not self._looks or now_s - self._looks[-1][0] >= _STEP_S):
            self._looks.append((now_s, counts.finished, counts.output_tokens))
        while len(self._looks) > 2 and now_s - self._looks[1][0] >= _WINDOW_S:
            self._looks.popleft()
        start_s, *before = self._looks[0] if self._looks else (now_s, 0, 0)
        gained = (counts.finished - before[0], counts.output_tokens - before[1])
        speed, tokens = (
            gain / (now_s - start_s) if gain and now_s > start_s else None for gain in gained
        )
        return Progress(
            lang=self._lang,
            turns=self._turns,
            turns_done=counts.turns - counts.wanted + counts.finished,
            failures=dict(counts.problems.most_common()),
            output_tokens_per_s=tokens,
            segments_per_s=speed,
            eta_s=self._left(counts) / speed if speed else None,
            elapsed_s=now_s - self._start_s,
            **{name: getattr(counts, name) for name in _COUNTERS},
        )

    def _left(self, counts: FillCounts) -> float:
        """Segments still to be answered. Of the shards read it is known. Those to come are taken to
        want requests for as many of their turns as the shards did that wanted any: shards that were
        all in the memory are what an earlier run did, and say nothing of the rest. Later shards
        repeat more of what was said, so this is rather too much than too little."""
        share = counts.wanted / counts.turns_with_work if counts.turns_with_work else 0.0
        unread = max(0, self._turns - counts.turns)
        return counts.wanted - counts.finished + unread * share


@contextmanager
def watching(events_path: Path | None = None, metrics_path: Path | None = None) -> Iterator[Sink]:
    with ExitStack() as stack:
        sinks: list[Sink] = []
        if events_path is not None:
            sinks.append(stack.enter_context(event_file(events_path, lambda: datetime.now(UTC))))
        if metrics_path is not None:
            sinks.append(MetricsFile(metrics_path, time.monotonic))
        sinks.append(stack.enter_context(display(console, time.monotonic)))

        def tell(event: Event) -> None:
            for sink in sinks:
                sink(event)

        yield tell


@contextmanager
def display(console: Console, monotonic: Monotonic) -> Iterator[Sink]:
    """Two moving lines on a terminal, a plain line at times elsewhere.

    fr ━━━━━━━━━━━━━━━━━━━  12,345/157,712 turns  1,234 tokens/s  1:02:03 left
       3,210 sent · 9,012 from memory · 12 retries · 3 failed: wrong script 2, empty 1
    """
    if console.is_terminal:
        with Live(console=console, transient=True, refresh_per_second=5) as live:
            yield partial(_move, live, Spinner("dots"))
        return
    told_s = monotonic()  # the first line after ten seconds: a short run is not talked about

    def tell(event: Event) -> None:
        nonlocal told_s
        if not isinstance(event, Progress | ShardWritten):
            return
        now_s = monotonic()
        if now_s - told_s >= _PLAIN_EVERY_S:
            told_s = now_s
            line = plain_line(event) if isinstance(event, Progress) else _shard_line(event)
            console.print(line, markup=False)

    yield tell


def _move(live: Live, spinner: Spinner, event: Event) -> None:
    match event:
        case Started():
            spinner.update(text=f"{event.lang}: reading {event.turns:,} turns")
            live.update(spinner)
        case ShardWritten():
            spinner.update(text=_shard_line(event))
            live.update(spinner)
        case Progress():
            right = [Column(no_wrap=True, justify="right")] * 3
            grid = Table.grid(
                Column(no_wrap=True), Column(ratio=1), *right, padding=(0, 1), expand=True
            )
            grid.add_row(
                Text(event.lang, style="bold"),
                ProgressBar(total=max(1, event.turns), completed=event.turns_done),
                f"{event.turns_done:,}/{event.turns:,} turns",
                *_speed(event),
            )
            live.update(Group(grid, Text(f"   {_facts(event, ' · ')}")))
        case Finished() | Failed():
            live.update(Text(""), refresh=True)


def plain_line(event: Progress) -> str:
    parts = [f"{event.turns_done:,} of {event.turns:,} turns", *filter(None, _speed(event))]
    return f"{event.lang}: {', '.join(parts)}; {_facts(event, ', ')}"


def _shard_line(event: ShardWritten) -> str:
    return f"{event.lang}: writing shard {event.number:,} of {event.shards:,}"


def _speed(event: Progress) -> tuple[str, str]:
    """Tokens a second and time left; a word on why there is none while nothing is answered."""
    if event.sent and not event.finished:
        return "", "waiting for the engine"
    tokens, left = event.output_tokens_per_s, event.eta_s
    return (
        "" if tokens is None else f"{tokens:,.0f} tokens/s",
        "" if left is None else f"{duration(left)} left",
    )


def _facts(event: Progress, between: str) -> str:
    parts = [f"{event.sent:,} sent", f"{event.reused:,} from memory", f"{event.retried:,} retries"]
    failed = f"{sum(event.failures.values()):,} failed"
    if event.failures:
        failed += ": " + ", ".join(f"{reason} {n:,}" for reason, n in event.failures.items())
    return between.join([*parts, failed])


def duration(seconds: float) -> str:
    """`0:00:07`, `26:03:00`."""
    minutes, left = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{left:02}"


@contextmanager
def event_file(path: Path, clock: Callable[[], datetime]) -> Iterator[Sink]:
    """Every event as a line of JSON, for programs that follow a run; progress only now and then,
    its last word always. Appends, so that a run that goes on adds to what was told before.

    {"event": "progress", "time": "2026-01-31T12:00:00.000+00:00", "lang": "ur", "turns_done": 3...}

    Raises UserError where the file can't be written.
    """
    held: tuple[Progress, datetime] | None = None
    told: datetime | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("ab+")
        if file.tell():
            file.seek(-1, 2)
            if file.read(1) != b"\n":  # half a line of a killed run ends there, so no other is hurt
                file.write(b"\n")
    except OSError as error:
        raise UserError(f"Cannot write events to {path}: {error.strerror}.") from None

    def write(event: Event, now: datetime) -> None:
        line = {"event": event.kind, "time": now.isoformat(timespec="milliseconds")}
        file.write(f"{json.dumps(line | asdict(event), ensure_ascii=False)}\n".encode())
        file.flush()

    def tell(event: Event) -> None:
        nonlocal held, told
        now = clock()
        if isinstance(event, Progress):
            if told and (now - told).total_seconds() < _FILE_EVERY_S:
                held = (event, now)
                return
            told = now
        elif held:
            write(*held)
            told = None
        held = None
        write(event, now)

    with file:
        yield tell


class MetricsFile:
    """A sink: where the run stands in Prometheus's text format, for node-exporter's textfile
    collector, by `lang`. Replaced as a whole, every few seconds and whenever a state changes."""

    def __init__(self, path: Path, monotonic: Monotonic) -> None:
        from prometheus_client import CollectorRegistry

        self._path, self._monotonic = path, monotonic
        self._written_s = -math.inf
        self._progress: dict[str, Progress] = {}
        self._finished: dict[str, Finished] = {}
        self._shards: Counter[str] = Counter()
        self._errors: Counter[str] = Counter()
        self._registry: Any = CollectorRegistry()
        self._registry.register(self)  # which asks for `collect` alone
        self._write()

    def __call__(self, event: Event) -> None:
        match event:
            case Started():
                self._errors[event.lang] = self._shards[event.lang] = 0
            case Progress():
                self._progress[event.lang] = event
            case ShardWritten():
                self._shards[event.lang] += 1
            case Finished():
                self._finished[event.lang] = event
            case Failed():
                self._errors[event.lang] += 1
        often, now_s = isinstance(event, Progress | ShardWritten), self._monotonic()
        if not often or now_s - self._written_s >= _FILE_EVERY_S:
            self._written_s = now_s
            self._write()

    def _write(self) -> None:
        from prometheus_client import write_to_textfile

        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_to_textfile(str(self._path), self._registry)
        except OSError as error:
            raise UserError(f"Cannot write metrics to {self._path}: {error.strerror}.") from None

    def collect(self) -> Iterator[Any]:
        """Prometheus's metric families; it writes units out."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        progress, finished = self._progress.items(), self._finished.items()
        rows: list[tuple[Any, str, str, str, dict[Any, Any]]] = []  # the string: a label
        for kind, series in ((GaugeMetricFamily, _GAUGES), (CounterMetricFamily, _COUNTERS)):
            for name, text in series.items():
                values = {lang: getattr(event, name) for lang, event in progress}
                name = re.sub("_s$", "_seconds", name.replace("_per_s", "_per_second"))
                rows.append((kind, name, text, "", values))
        failures = {(lang, why): n for lang, event in progress for why, n in event.failures.items()}
        turns = {(lang, of): n for lang, event in finished for of, n in event.by_status.items()}
        whole = {lang: int(event.whole) for lang, event in finished}
        counter, gauge = CounterMetricFamily, GaugeMetricFamily
        rows += [
            (counter, "failures", "Segments that failed every attempt.", "reason", failures),
            (counter, "shards_written", "Shards.", "", self._shards),
            (counter, "errors", "Runs ended by one.", "", self._errors),
            (gauge, "audit_whole", "1 where the audit found nothing wrong.", "", whole),
            (gauge, "audit_turns", "Turns in the shards.", "status", turns),
        ]
        for kind, name, text, label, values in rows:
            family = kind(f"palo_translate_{name}", text, labels=["lang", *filter(None, [label])])
            for labels, value in values.items():
                if value is not None:
                    family.add_metric([labels] if isinstance(labels, str) else labels, value)
            yield family
