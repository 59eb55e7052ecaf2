"""A blind audit: passed turns go out like any others, and what reviewers say of them counts.

The sample is drawn once for each translator, at random within strata (question or answer, short
or long), each with its share of rows. The CSV says nothing of it; the ledger alone knows.
"""

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from hashlib import blake2b
from pathlib import Path

from palo.files import write_json
from palo.intervals import wilson
from palo.memory import VerifiedEntry, VerifiedMemory
from palo.paths import DataPaths
from palo.schemas import RefinedSample, Verdict
from palo.shards import read_refined, shard_paths
from refine.intake import load_rejections
from refine.judgement import Rejection, TurnKey
from refine.queue import (
    BATCH,
    LEDGER_NAME,
    Exported,
    Queue,
    all_rows,
    load_ledger,
    next_number,
    translation_hash,
)
from refine.review_csv import ReviewRow, parse_review_id, too_long, write_review
from refine.review_status import outcome
from refine.translator import translator_of

SEED = "audit"  # of the draw
_LONG_WORDS = (3, 20)  # of English: an answer of a word or three, a sentence, more


@dataclass(frozen=True)
class AuditResult:
    """Errors (rows fixed or rejected) among the audited rows that came back.

    `low` and `high` bound their share in all passed turns (Wilson, 95%).
    """

    num_rows: int
    num_errors: int
    low: float
    high: float


def audit_results(paths: DataPaths, lang: str) -> dict[str, AuditResult]:
    """By translator, the oldest first; of samples of which nothing came back as well."""
    folder = paths.review(lang)
    audits = [one for one in load_ledger(folder).values() if one.audit]
    if not audits:
        return {}
    rejected = load_rejections(folder)
    with VerifiedMemory.existing(paths.verified(lang)) as memory:
        words = {(one.sample_id, one.turn): one for one in memory.entries()}
    return {
        one.audit: _result(one.rows, words, rejected)
        for one in sorted(audits, key=lambda one: one.at)
    }


def _result(
    rows: Mapping[str, str],
    words: Mapping[TurnKey, VerifiedEntry],
    rejected: Mapping[str, Rejection],
) -> AuditResult:
    verified = {key: words[at] for key in rows if (at := parse_review_id(key)) and at in words}
    found = Counter(outcome(key, rows, verified, rejected) for key in rows)
    done, errors = found["accepted"] + found["edited"], found["edited"]
    return AuditResult(done, errors, *wilson(errors, done))


def export_audit(paths: DataPaths, lang: str, num_rows: int, now: str) -> Queue:
    """Draws a sample of passed turns into a batch, once for each translator.

    A crash between the file and the ledger leaves an ordinary batch, and another sample is drawn.
    """
    folder = paths.review(lang)
    ledger = load_ledger(folder)
    frame = _translator(paths.refined(lang)) if num_rows else ""
    if not frame or any(one.audit == frame for one in ledger.values()):
        return Queue(0, 0, (), ())
    out = {key for one in ledger.values() for key in one.rows}
    rows = draw(_passed(paths.refined(lang)), num_rows, out)
    if not rows:
        return Queue(0, 0, (), ())
    batch = f"{BATCH}-{next_number(folder, BATCH, ledger):04d}"
    write_review(folder / f"{batch}.csv", rows)
    hashes = {row.id: translation_hash(row) for row in rows}
    ledger[batch] = Exported(hashes, now, frame, frame)
    write_json(folder / LEDGER_NAME, {key: asdict(one) for key, one in ledger.items()})
    return Queue(len(rows), 0, (folder / f"{batch}.csv",), ())


def draw(turns: Iterator[tuple[str, ReviewRow]], num_rows: int, out: set[str]) -> list[ReviewRow]:
    """At most `num_rows` of (stratum, row), from each stratum its share; order does not matter.

    Each row's number is a hash of its id, and the smallest numbers are drawn: the sample of a
    corpus is the same on every machine, and only `num_rows` rows a stratum are ever held.
    """
    sizes: Counter[str] = Counter()
    smallest: dict[str, list[tuple[int, str, ReviewRow]]] = defaultdict(list)
    for stratum, row in turns:
        if row.id in out or too_long(row):
            continue
        sizes[stratum] += 1
        entry = (-_number(row.id), row.id, row)
        if len(smallest[stratum]) < num_rows:
            heapq.heappush(smallest[stratum], entry)
        else:
            heapq.heappushpop(smallest[stratum], entry)
    drawn = [
        row
        for stratum, share in _shares(sizes, num_rows).items()
        for _, _, row in sorted(smallest[stratum], reverse=True)[:share]
    ]
    return sorted(drawn, key=lambda row: _number(row.id))


def _shares(sizes: Counter[str], num_rows: int) -> dict[str, int]:
    """Rows by stratum in proportion to its size, by largest remainders."""
    total = sum(sizes.values())
    rows = min(num_rows, total)
    exact = {stratum: rows * size / total for stratum, size in sorted(sizes.items())}
    shares = {stratum: int(value) for stratum, value in exact.items()}
    by_rest = sorted(exact, key=lambda stratum: shares[stratum] - exact[stratum])
    for stratum in by_rest[: rows - sum(shares.values())]:
        shares[stratum] += 1
    return shares


def _passed(folder: Path) -> Iterator[tuple[str, ReviewRow]]:
    """Turns of the machine that no filter stopped, without a word of the filters' notes."""
    for path in shard_paths(folder):
        for refined in read_refined(path):
            for row in all_rows(refined, blind=True):
                turn = _turn(row)
                if refined.turn_verdicts[turn].severity <= Verdict.NOTE.severity:
                    yield _stratum(refined, turn, row), row


def _stratum(refined: RefinedSample, turn: int, row: ReviewRow) -> str:
    words = len(row.english.split())
    size = sum(words > limit for limit in _LONG_WORDS)
    return f"{refined.sample.source[turn].role}-{size}"


def _translator(folder: Path) -> str:
    return translator_of(one.sample for path in shard_paths(folder) for one in read_refined(path))


def _turn(row: ReviewRow) -> int:
    found = parse_review_id(row.id)
    assert found is not None
    return found[1]


def _number(key: str) -> int:
    return int.from_bytes(blake2b(f"{SEED}:{key}".encode(), digest_size=8).digest())
