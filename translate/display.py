"""A run as a person sees it: two moving lines on a terminal, a plain line at times elsewhere.

fr ━━━━━━━━━━━━━━━━━━━  12,345/157,712 turns  1,234 tokens/s  1:02:03 left
   3,210 sent · 9,012 from memory · 12 retries · 3 failed: wrong script 2, empty 1
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from translate.events import Event, Failed, Finished, Progress, ShardWritten, Sink, Started
from translate.progress import Monotonic

_PLAIN_EVERY_S = 10.0


@contextmanager
def display(console: Console, monotonic: Monotonic) -> Iterator[Sink]:
    if not console.is_terminal:
        yield _Plain(console, monotonic)
        return
    with Live(console=console, transient=True, refresh_per_second=5) as live:
        yield _Moving(live)


class _Moving:
    def __init__(self, live: Live) -> None:
        self._live = live
        self._spinner = Spinner("dots")

    def __call__(self, event: Event) -> None:
        match event:
            case Started():
                self._spinner.update(text=f"{event.lang}: reading {event.turns:,} turns")
                self._live.update(self._spinner)
            case Progress():
                self._live.update(Group(self._bar(event), Text(f"   {facts(event, ' · ')}")))
            case ShardWritten():
                text = f"{event.lang}: writing shard {event.number:,} of {event.shards:,}"
                self._spinner.update(text=text)
                self._live.update(self._spinner)
            case Finished() | Failed():
                self._live.update(Text(""), refresh=True)

    def _bar(self, event: Progress) -> Table:
        grid = Table.grid(padding=(0, 1), expand=True)
        grid.add_column(no_wrap=True)
        grid.add_column(ratio=1)
        for _ in range(3):
            grid.add_column(no_wrap=True, justify="right")
        grid.add_row(
            Text(event.lang, style="bold"),
            ProgressBar(total=max(1, event.turns), completed=event.turns_done),
            f"{event.turns_done:,}/{event.turns:,} turns",
            *speed(event),
        )
        return grid


class _Plain:
    """The first line after ten seconds, so that a short run is not talked about."""

    def __init__(self, console: Console, monotonic: Monotonic) -> None:
        self._console = console
        self._monotonic = monotonic
        self._told_s = monotonic()

    def __call__(self, event: Event) -> None:
        match event:
            case Progress():
                self._say(lambda: plain_line(event))
            case ShardWritten():
                self._say(
                    lambda: f"{event.lang}: writing shard {event.number:,} of {event.shards:,}"
                )

    def _say(self, line: Callable[[], str]) -> None:
        now_s = self._monotonic()
        if now_s - self._told_s >= _PLAIN_EVERY_S:
            self._told_s = now_s
            self._console.print(line(), markup=False)


def plain_line(event: Progress) -> str:
    parts = [f"{event.turns_done:,} of {event.turns:,} turns", *filter(None, speed(event))]
    return f"{event.lang}: {', '.join(parts)}; {facts(event, ', ')}"


def speed(event: Progress) -> tuple[str, str]:
    """Tokens a second and time left; a word on why there is none while nothing is answered."""
    if event.sent and not event.finished:
        return "", "waiting for the engine"
    tokens, left = event.output_tokens_per_s, event.eta_s
    return (
        "" if tokens is None else f"{tokens:,.0f} tokens/s",
        "" if left is None else f"{duration(left)} left",
    )


def facts(event: Progress, between: str) -> str:
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
