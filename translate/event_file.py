"""Events as JSON, one object a line, for programs that follow a run: `--events FILE`.

{"event": "progress", "time": "2026-01-31T12:00:00.000+00:00", "lang": "ur", "turns_done": 310, ...}
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TextIO

from palo.errors import UserError
from translate.events import Event, Progress, Sink

_PROGRESS_EVERY_S = 5.0


@contextmanager
def event_file(path: Path, clock: Callable[[], datetime]) -> Iterator[Sink]:
    """Appends to the file, so that a run that goes on adds to what was told before it stopped.

    Raises UserError where the file can't be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _end_line(path)
        file = path.open("a", encoding="utf-8")
    except OSError as error:
        raise UserError(f"Cannot write events to {path}: {error.strerror}.") from None
    with file:
        yield _Lines(file, clock)


class _Lines:
    """Every event is a line, flushed; progress only now and then, its last word always."""

    def __init__(self, file: TextIO, clock: Callable[[], datetime]) -> None:
        self._file = file
        self._clock = clock
        self._held: tuple[Progress, datetime] | None = None
        self._told: datetime | None = None

    def __call__(self, event: Event) -> None:
        now = self._clock()
        if isinstance(event, Progress):
            if self._told and (now - self._told).total_seconds() < _PROGRESS_EVERY_S:
                self._held = (event, now)
                return
            self._told = now
        elif self._held:
            self._write(*self._held)
            self._told = None
        self._held = None
        self._write(event, now)

    def _write(self, event: Event, now: datetime) -> None:
        line = {
            "event": event.kind,
            "time": now.isoformat(timespec="milliseconds"),
            **asdict(event),
        }
        self._file.write(json.dumps(line, ensure_ascii=False) + "\n")
        self._file.flush()


def _end_line(path: Path) -> None:
    """A run that was killed may have left half a line: it ends there, so that no other is hurt."""
    if not path.is_file() or not path.stat().st_size:
        return
    with path.open("rb+") as file:
        file.seek(-1, 2)
        if file.read(1) != b"\n":
            file.write(b"\n")
