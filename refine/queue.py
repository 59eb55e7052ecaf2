"""The review queue: which turns go out to reviewers, in which new file, and what is out already."""

import heapq
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from palo.checks.image_tag import without_frame
from palo.files import read_json, write_json
from palo.schemas import RefinedSample, TurnStatus, Verdict
from refine.decisions import ADJUDICATION
from refine.judgement import REVIEWER, flagged
from refine.priority import Candidate, candidate
from refine.review_csv import (
    ReviewRow,
    export_hash,
    parse_export_hash,
    read_review,
    review_files,
    review_id,
    too_long,
    write_review,
)

LEDGER_NAME = "exported.json"
BATCH = "batch"
SEED = "seed"
_EXPORTED = re.compile(rf"({BATCH}|{SEED}|{ADJUDICATION})-\d+")


@dataclass(frozen=True)
class Exported:
    """`rows`: review id -> hash of the translation that went out; `at` is "" where unknown.

    `translator` wrote the rows, "" where they are of several or chosen by hand; `audit` names it
    again where they are a sample drawn for it, and is "" for other batches.
    """

    rows: Mapping[str, str]
    at: str = ""
    audit: str = ""
    translator: str = ""


Ledger = dict[str, Exported]  # by batch


@dataclass(frozen=True)
class Queue:
    """`waiting`: rows out and undecided; `later`: rows that find no room; `files`: new ones.

    `unwritable`: ids of turns too long for any spreadsheet's cell.
    """

    waiting: int
    later: int
    files: tuple[Path, ...]
    unwritable: tuple[str, ...]

    def __add__(self, other: "Queue") -> "Queue":
        return Queue(
            self.waiting + other.waiting,
            self.later + other.later,
            self.files + other.files,
            self.unwritable + other.unwritable,
        )


def export_review(
    folder: Path,
    stem: str,
    rows: Iterable[Candidate],
    max_rows: int,
    now: str,
    one_file: bool = True,
    among: Sequence[str] = (BATCH, SEED),
    translator: str = "",
) -> Queue:
    """Writes rows that are not out yet with this very translation into new files.

    At most `max_rows` rows a file; with `one_file` also at most so many out and undecided at
    once, and those of most gain go first. A file that exists is never touched: a reviewer may
    have it open. `now` goes into the ledger, for the time that reviews take. `among` are the
    stems of the files that a row may be out in; `translator` wrote them all.
    """
    ledger = load_ledger(folder)
    out = out_already(ledger, among)
    best = _Best(max_rows if one_file else None)
    unwritable, waiting = [], 0
    for one in rows:
        if (one.row.id, translation_hash(one.row)) in out:
            waiting += 1
        elif too_long(one.row):
            unwritable.append(one.row.id)
        else:
            best.add(one)
    going = best.rows(max(0, max_rows - waiting) if one_file else None)
    files = []
    for start in range(0, len(going), max_rows):
        batch = f"{stem}-{next_number(folder, stem, ledger):04d}"
        part = going[start : start + max_rows]
        write_review(folder / f"{batch}.csv", part)
        files.append(folder / f"{batch}.csv")
        hashes = {row.id: translation_hash(row) for row in part}
        ledger[batch] = Exported(hashes, now, translator=translator)
        write_json(folder / LEDGER_NAME, {key: asdict(one) for key, one in ledger.items()})
    return Queue(waiting + len(going), best.seen - len(going), tuple(files), tuple(unwritable))


class _Best:
    """The rows of most gain, at most `limit` of them (None: all); equal ones as they came."""

    def __init__(self, limit: int | None) -> None:
        self.seen = 0
        self._limit = limit
        self._heap: list[tuple[float, float, int, ReviewRow]] = []

    def add(self, one: Candidate) -> None:
        entry = (one.gain, -one.logprob, -self.seen, one.row)  # no two have the same third
        self.seen += 1
        if self._limit is None or len(self._heap) < self._limit:
            heapq.heappush(self._heap, entry)
        else:
            heapq.heappushpop(self._heap, entry)

    def rows(self, room: int | None) -> list[ReviewRow]:
        return [entry[3] for entry in sorted(self._heap, reverse=True)[:room]]


def out_already(ledger: Ledger, among: Sequence[str] = (BATCH, SEED)) -> set[tuple[str, str]]:
    """(review id, hash of the translation) of the rows that files of these stems hold."""
    return {
        (key, text)
        for name, batch in ledger.items()
        if name.rpartition("-")[0] in among
        for key, text in batch.rows.items()
    }


def flagged_rows(refined: RefinedSample) -> list[Candidate]:
    """The turns that ask for a person and that no person has judged."""
    return [
        candidate(refined, turn, _row(refined, turn))
        for turn, one in enumerate(refined.turn_verdicts)
        if flagged(one) and turn < _num_turns(refined) and not _judged(refined, turn)
    ]


def all_rows(refined: RefinedSample, blind: bool = False) -> list[ReviewRow]:
    """Every turn that has something to translate and that no person has judged.

    `blind` rows do not say what the filters found.
    """
    return [
        _row(refined, turn, blind)
        for turn in range(_num_turns(refined))
        if refined.sample.meta[turn].status is not TurnStatus.COPIED and not _judged(refined, turn)
    ]


def load_ledger(folder: Path) -> Ledger:
    """What went out. A file that a crash kept out of the ledger is read back into it."""
    path = folder / LEDGER_NAME
    stored = read_json(path) if path.is_file() else {}
    ledger = {batch: _exported(value) for batch, value in stored.items()}
    for file in review_files(folder):
        if file.stem in ledger or not _EXPORTED.fullmatch(file.stem):
            continue
        hashes = {one.row.id: parse_export_hash(one.row.hash) for one in read_review(file).rows}
        ledger[file.stem] = Exported({key: found[1] for key, found in hashes.items() if found})
    return ledger


def _exported(value: dict[str, Any]) -> Exported:
    """Ledgers of before held the rows alone, without the time."""
    rows = value.get("rows")
    if not isinstance(rows, dict):
        return Exported(value)
    return Exported(rows, value["at"], value.get("audit", ""), value.get("translator", ""))


def _num_turns(refined: RefinedSample) -> int:
    """Turns that have both sides; a broken sample may lack some."""
    sample = refined.sample
    return min(len(sample.source), len(sample.target), len(sample.meta))


def _judged(refined: RefinedSample, turn: int) -> bool:
    verified = refined.sample.meta[turn].status is TurnStatus.VERIFIED
    return verified or any(one.filter == REVIEWER for one in refined.findings[turn])


def _row(refined: RefinedSample, turn: int, blind: bool = False) -> ReviewRow:
    sample = refined.sample
    english = without_frame(sample.source[turn].text)
    translation = without_frame(sample.target[turn].text)
    reasons = (
        f"{one.filter}: {one.reason}"
        for one in refined.findings[turn]
        if one.verdict is not Verdict.PASS and not blind
    )
    return ReviewRow(
        id=review_id(sample.sample_id, turn),
        lang=sample.lang,
        image=sample.image or "",
        previous=without_frame(sample.source[turn - 1].text) if turn else "",
        english=english,
        translation=translation,
        reasons="; ".join(reasons),
        hash=export_hash(english, translation),
    )


def translation_hash(row: ReviewRow) -> str:
    found = parse_export_hash(row.hash)
    assert found is not None
    return found[1]


def next_number(folder: Path, stem: str, ledger: Mapping[str, object]) -> int:
    names: Sequence[str] = [*ledger, *(path.stem for path in folder.glob(f"{stem}-*.csv"))]
    found = (re.fullmatch(rf"{stem}-(\d+).*", name) for name in names)
    return 1 + max((int(match.group(1)) for match in found if match), default=0)
