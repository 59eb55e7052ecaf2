"""A blind audit: passed turns go out like any others, and what reviewers say of them counts.

The sample is drawn once for each translator, at random within strata (question or answer, short
or long), each with its share of rows. The CSV says nothing of it; the ledger alone knows.
"""

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from palo.console import wilson
from palo.paths import DataPaths
from palo.schemas import Verdict
from palo.shards import read_refined, shard_paths
from refine.queue import BATCH, Queue, load_ledger, open_rows, translator_of, write_batch
from refine.review_file import ReviewRow, too_long
from refine.review_status import outcomes

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
    batches = load_ledger(paths.review(lang)).values()
    audits = sorted((batch for batch in batches if batch.audit), key=lambda batch: batch.at)
    results = {}
    for batch in audits:
        counts = Counter(outcomes(paths, lang, batch.rows).values())
        done, errors = counts.total(), counts["edited"]
        results[batch.audit] = AuditResult(done, errors, *wilson(errors, done))
    return results


def export_audit(paths: DataPaths, lang: str, num_rows: int, now: str) -> Queue:
    """Draws a sample of passed turns into a batch, once for each translator.

    A crash between the file and the ledger leaves an ordinary batch, and another sample is drawn.
    """
    folder, shards = paths.review(lang), shard_paths(paths.refined(lang))
    samples = (refined.sample for path in shards for refined in read_refined(path))
    translator = translator_of(samples) if num_rows else ""
    ledger = load_ledger(folder)
    if not translator or any(batch.audit == translator for batch in ledger.values()):
        return Queue()
    out = {key for batch in ledger.values() for key in batch.rows}
    rows = draw(_passed(shards), num_rows, out)
    if not rows:
        return Queue()
    path = write_batch(folder, BATCH, ledger, rows, now, translator, audit=translator)
    return Queue(waiting=len(rows), files=(path,))


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
    # each stratum its share of the rows, by largest remainders
    total = sum(sizes.values())
    num_drawn = min(num_rows, total)
    exact = {stratum: num_drawn * size / total for stratum, size in sorted(sizes.items())}
    shares = {stratum: int(value) for stratum, value in exact.items()}
    by_rest = sorted(exact, key=lambda stratum: shares[stratum] - exact[stratum])
    for stratum in by_rest[: num_drawn - sum(shares.values())]:
        shares[stratum] += 1
    drawn = [
        row
        for stratum, share in shares.items()
        for _, _, row in sorted(smallest[stratum], reverse=True)[:share]
    ]
    return sorted(drawn, key=lambda row: _number(row.id))


def _passed(shards: list[Path]) -> Iterator[tuple[str, ReviewRow]]:
    """Turns of the machine that no filter stopped, without a word of the filters' notes."""
    for refined in (refined for path in shards for refined in read_refined(path)):
        for turn, row in open_rows(refined, blind=True):
            if refined.turn_verdicts[turn].severity <= Verdict.NOTE.severity:
                num_words = len(row.english.split())
                size = sum(num_words > limit for limit in _LONG_WORDS)
                yield f"{refined.sample.source[turn].role}-{size}", row


def _number(key: str) -> int:
    return int.from_bytes(blake2b(f"{SEED}:{key}".encode(), digest_size=8).digest())
