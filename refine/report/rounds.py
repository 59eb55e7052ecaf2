"""What each round of review said of the translator: edit rate, and chrF against corrections.

A round is an exported batch, in the order of their numbers: the seed's first, then the others.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any

from palo.paths import DataPaths
from refine.queue import SEED, Exported, load_ledger
from refine.review_file import (
    ADJUDICATION,
    ReviewRow,
    ReviewVerdict,
    parse_export_hash,
    read_review,
    returned_files,
)


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
    """Every batch of the language with at least one decision, in whatever file it came back.

    Where several people judged a turn, the adjudicated word counts, else that of the last file.
    """
    folder = paths.review(lang)
    if not folder.is_dir():
        return []
    ledger = {
        name: one for name, one in load_ledger(folder).items() if not name.startswith(ADJUDICATION)
    }
    batches = {turn: name for name, one in ledger.items() for turn in one.rows.items()}
    rows: dict[str, dict[str, Judged]] = defaultdict(dict)
    for path in sorted(returned_files(folder), key=lambda one: one.stem.startswith(ADJUDICATION)):
        for read in read_review(path).rows:
            judged, exported = _judged(read.row), parse_export_hash(read.row.hash)
            key = read.row.id.strip()
            if judged and exported and (name := batches.get((key, exported[1]))):
                rows[name][key] = judged
    return [_round(name, ledger[name], rows[name]) for name in sorted(rows, key=_order)]


def score(rows: Iterable[Judged]) -> Score:
    """Of one row or more."""
    judged = list(rows)
    edited = sum(one.edited for one in judged)
    texts = [(one.machine, one.human) for one in judged if one.human]
    chrf, signature = _chrf(texts) if texts else (None, "")
    return Score(len(judged), edited, edited / len(judged), chrf, signature)


def _order(name: str) -> tuple[bool, int, str]:
    number = name.rpartition("-")[2]
    return not name.startswith(SEED), int(number) if number.isdecimal() else 0, name


def _round(name: str, exported: Exported, rows: Mapping[str, Judged]) -> Round:
    if name.startswith(SEED):
        kind = Kind.SEED
    elif exported.audit:
        kind = Kind.AUDIT
    else:
        kind = Kind.FLAGGED if exported.translator else Kind.CHOSEN
    return Round(name, kind, exported.translator, rows)


def _judged(row: ReviewRow) -> Judged | None:
    verdict = row.verdict.strip().lower()
    if verdict not in list(ReviewVerdict):
        return None
    if verdict == ReviewVerdict.ACCEPT:
        return Judged(False, row.translation, row.translation)
    return Judged(True, row.translation, row.correction.strip())


def _chrf(texts: list[tuple[str, str]]) -> tuple[float, str]:
    from sacrebleu.metrics.chrf import CHRF

    metric = CHRF()
    machine, human = map(list, zip(*texts, strict=True))
    score = metric.corpus_score(machine, [human]).score
    return score, str(metric.get_signature())
