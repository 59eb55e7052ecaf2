"""Review batches by choice: turns of a reason, of a verdict, or of named ids."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from palo.errors import UserError, nearest
from palo.files import run_lock
from palo.paths import DataPaths
from palo.schemas import RefinedSample, Verdict
from palo.settings import RefineSettings
from palo.shards import read_refined, shard_paths
from refine.filters import default_filters
from refine.filters.duplicate import DuplicateFilter
from refine.priority import Candidate
from refine.queue import BATCH, Queue, all_rows, export_review, load_ledger
from refine.review_csv import ReviewRow, parse_review_id

FLAGGED = "flagged"


def chosen_ids(only: str) -> frozenset[str] | None:
    """The ids that a file lists, a line each; None where `only` names no file."""
    path = Path(only)
    if not path.is_file():
        return None
    lines = path.read_text(encoding="utf-8-sig").split("\n")
    return frozenset(line.strip() for line in lines if line.strip())


def check_choice(only: str, settings: RefineSettings) -> None:
    """Raises UserError for what is no reason, verdict or file."""
    if chosen_ids(only) is not None:
        return
    reasons = sorted({one.name for one in default_filters(settings)} | {DuplicateFilter.name})
    names = [FLAGGED, *Verdict, *reasons]
    for name in only.split(","):
        if name not in names:
            close = nearest(name, names)
            hint = f" Did you mean '{close}'?" if close else ""
            raise UserError(
                f"Unknown choice '{name}'.{hint} Use a file of ids, or: {' '.join(names)}"
            )


def export_chosen(paths: DataPaths, lang: str, only: str, max_rows: int, now: str) -> Queue:
    """Writes at most `max_rows` turns that are not out yet into one new batch.

    `only` has passed `check_choice`. Turns that a person has judged are left out.
    """
    folder = paths.review(lang)
    with run_lock(paths.refined(lang), f"palo review export {lang}"):
        out = {key for batch in load_ledger(folder).values() for key in batch.rows}
        found = (row for row in _chosen(paths.refined(lang), only) if row.id not in out)
        return export_review(
            folder, BATCH, map(Candidate, islice(found, max_rows)), max_rows, now, one_file=False
        )


def _chosen(folder: Path, only: str) -> Iterator[ReviewRow]:
    ids, words = chosen_ids(only), frozenset(only.split(","))
    for path in shard_paths(folder):
        for refined in read_refined(path):
            for row in all_rows(refined):
                if ids is None:
                    chosen = _says(refined, row, words)
                else:
                    chosen = not ids.isdisjoint((row.id, refined.sample.sample_id))
                if chosen:
                    yield row


def _says(refined: RefinedSample, row: ReviewRow, words: frozenset[str]) -> bool:
    """Whether the turn's verdict or one of its reasons is among the words."""
    found = parse_review_id(row.id)
    assert found is not None
    turn = found[1]
    one = refined.turn_verdicts[turn]
    said = {str(one)} | {
        finding.filter for finding in refined.findings[turn] if finding.verdict is not Verdict.PASS
    }
    if one.severity >= Verdict.REVIEW.severity:
        said.add(FLAGGED)
    return bool(said & words)
