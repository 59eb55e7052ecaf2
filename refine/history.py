"""How many turns were flagged in each state of a language: one entry whenever that changed."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from palo.schemas import Verdict
from palo.shards import read_json, write_json

NAME = "history.json"


@dataclass(frozen=True)
class State:
    """`at` is the time of the run that found it, ISO 8601."""

    at: str
    turns: int
    flagged: int

    @property
    def share(self) -> float:
        return self.flagged / self.turns


def load_history(folder: Path) -> list[State]:
    """Oldest first; empty for a language that was refined before histories were written."""
    path = folder / NAME
    return [State(**one) for one in read_json(path)] if path.is_file() else []


def add_state(folder: Path, manifest: Mapping[str, Any], now: str) -> None:
    """Appends what the manifest counts, where it differs from what was counted last."""
    by_verdict = manifest["by_verdict"]
    flagged = by_verdict[str(Verdict.REVIEW)] + by_verdict[str(Verdict.REJECT)]
    found, known = State(now, manifest["turns"], flagged), load_history(folder)
    last = known[-1] if known else None
    if found.turns and (last is None or (last.turns, last.flagged) != (found.turns, flagged)):
        write_json(folder / NAME, [asdict(one) for one in (*known, found)])
