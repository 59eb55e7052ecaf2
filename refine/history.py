"""How many turns were flagged in each state of a language: one entry whenever that changed."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from palo.files import read_json, write_json
from palo.schemas import Verdict

NAME = "history.json"


@dataclass(frozen=True)
class State:
    """`at` is the time of the run that found it, ISO 8601; `reviewed` turns are people's words."""

    at: str
    turns: int
    flagged: int
    reviewed: int = 0

    @property
    def share(self) -> float:
        return self.flagged / self.turns

    @property
    def machine_share(self) -> float | None:
        """Of the turns that stand as the machine wrote them."""
        machine = self.turns - self.reviewed
        return self.flagged / machine if machine else None


def load_history(folder: Path) -> list[State]:
    """Oldest first; empty for a language that was refined before histories were written."""
    path = folder / NAME
    return [State(**one) for one in read_json(path)] if path.is_file() else []


def add_state(folder: Path, manifest: Mapping[str, Any], now: str) -> None:
    """Appends what the manifest counts, where it differs from what was counted last."""
    by_verdict = manifest["by_verdict"]
    flagged = by_verdict[str(Verdict.REVIEW)] + by_verdict[str(Verdict.REJECT)]
    found, known = (
        State(now, manifest["turns"], flagged, manifest["reviewed"]),
        load_history(folder),
    )
    if found.turns and (not known or replace(known[-1], at=now) != found):
        write_json(folder / NAME, [asdict(one) for one in (*known, found)])
