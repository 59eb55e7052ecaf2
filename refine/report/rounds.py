"""What each round of review said of the translator: edit rate, and chrF against corrections.

A round is a review file, in the order of their numbers: the seed's first, then the batches.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any

from palo.paths import DataPaths
from refine.decisions import ReviewVerdict
from refine.queue import BATCH, SEED, Exported, Ledger, load_ledger
from refine.review_csv import ReviewRow
from refine.review_files import read_returned, returned_files


class Kind(StrEnum):
    """Which turns a round holds."""

    SEED = "seed"  # all of a sample of conversations
    FLAGGED = "flagged"  # those that filters stopped
    AUDIT = "audit"  # drawn from those that passed
    CHOSEN = "chosen"  # by hand (`palo review export`), or nobody knows


@dataclass(frozen=True)
class Judged:
    """One decided row; `human` is "" where a person rejected the text and wrote no other."""

    edited: bool
    machine: str
    human: str


@dataclass(frozen=True)
class Score:
    """`edit_rate`: share of decided rows that were corrected or rejected; chrF from 0 to 100."""

    decided: int
    edited: int
    edit_rate: float
    chrf: float | None
    signature: str


@dataclass(frozen=True)
class Round:
    """`translator` is "" where the ledger does not say; `rows` are by review id."""

    name: str
    kind: Kind
    translator: str
    rows: Mapping[str, Judged]

    @cached_property
    def score(self) -> Score:
        return score(self.rows.values())

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "kind": self.kind,
            "translator": self.translator,
            **asdict(self.score),
        }


def rounds(paths: DataPaths, lang: str) -> list[Round]:
    """Every file of the language with at least one decision."""
    folder = paths.review(lang)
    if not folder.is_dir():
        return []
    ledger = load_ledger(folder)
    files = [path for path in returned_files(folder) if _order(path)]
    found = [_round(path, ledger) for path in sorted(files, key=lambda one: _order(one) or (0, 0))]
    return [one for one in found if one.rows]


def score(rows: Iterable[Judged]) -> Score:
    """Of one row or more."""
    judged = list(rows)
    edited = sum(one.edited for one in judged)
    texts = [(one.machine, one.human) for one in judged if one.human]
    chrf, signature = _chrf(texts) if texts else (None, "")
    return Score(len(judged), edited, edited / len(judged), chrf, signature)


def _order(path: Path) -> tuple[int, int] | None:
    match = re.match(rf"({SEED}|{BATCH})-(\d+)", path.stem)
    return (match.group(1) != SEED, int(match.group(2))) if match else None


def _round(path: Path, ledger: Ledger) -> Round:
    match = re.match(rf"(?:{SEED}|{BATCH})-\d+", path.stem)
    exported = ledger.get(match.group() if match else "", Exported({}))
    if path.stem.startswith(SEED):
        kind = Kind.SEED
    elif exported.audit:
        kind = Kind.AUDIT
    else:
        kind = Kind.FLAGGED if exported.translator else Kind.CHOSEN
    found = ((read.row.id, _judged(read.row)) for read in read_returned(path).rows)
    rows = {key: one for key, one in found if one is not None}
    return Round(path.stem, kind, exported.translator, rows)


def _judged(row: ReviewRow) -> Judged | None:
    verdict = row.verdict.strip().lower()
    if verdict not in list(ReviewVerdict):
        return None
    accepted = verdict == ReviewVerdict.ACCEPT
    return Judged(not accepted, row.translation, row.translation if accepted else row.correction)


def _chrf(texts: list[tuple[str, str]]) -> tuple[float, str]:
    from sacrebleu.metrics.chrf import CHRF

    metric = CHRF()
    machine, human = map(list, zip(*texts, strict=True))
    score = metric.corpus_score(machine, [human]).score
    return score, str(metric.get_signature())
