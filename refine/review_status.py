"""Where the review of a language stands: rows out, done, conflicts, agreement, edits, time."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import median

from palo.checks.image_tag import without_frame
from palo.memory import VerifiedEntry, VerifiedMemory
from palo.paths import DataPaths
from refine.agreement import agreement
from refine.decisions import Decision, settle
from refine.intake import load_rejections, read_decisions
from refine.judgement import Rejection
from refine.queue import Ledger, load_ledger
from refine.review_csv import parse_review_id, text_hash
from refine.review_files import read_returned, returned_files

_HOUR_S = 3600.0


@dataclass(frozen=True)
class ReviewStatus:
    """Turns of one language.

    `edit_rate` is the share of the done turns that were rewritten or rejected, `median_hours` the
    time from a turn's export until its text was taken in; both None where nothing is done.
    `agreement` is of the verdicts on turns that several reviewers judged.
    """

    lang: str
    out: int
    done: int
    conflicts: int
    agreement: float | None
    edit_rate: float | None
    median_hours: float | None


def review_status(paths: DataPaths, lang: str) -> ReviewStatus:
    """Reads the ledger, the review files and the verified texts; changes nothing."""
    folder = paths.review(lang)
    ledger = load_ledger(folder)
    verified: dict[str, VerifiedEntry] = {}
    if paths.verified(lang).is_file():
        with VerifiedMemory(paths.verified(lang)) as memory:
            words = {(one.sample_id, one.turn): one for one in memory.entries()}
        ids = {key for batch in ledger.values() for key in batch.rows}
        verified = {key: words[at] for key in ids if (at := parse_review_id(key)) in words}
    rejected = load_rejections(folder)
    exported, when = _newest(ledger)
    edits = [edited for key in exported if (edited := outcome(key, exported, verified, rejected))]
    decisions, _ = read_decisions(
        paths, lang, [read_returned(path) for path in returned_files(folder)]
    )
    _, conflicts = settle(decisions)
    hours = [taken for key, one in verified.items() if (taken := _hours(when[key], one)) >= 0]
    return ReviewStatus(
        lang=lang,
        out=len(exported),
        done=len(edits),
        conflicts=len({one.id for one in conflicts}),
        agreement=agreement(_ratings(decisions)),
        edit_rate=edits.count("edited") / len(edits) if edits else None,
        median_hours=median(hours) if hours else None,
    )


def _newest(ledger: Ledger) -> tuple[dict[str, str], dict[str, str]]:
    """The text that each turn last went out with, and when."""
    exported: dict[str, str] = {}
    when: dict[str, str] = {}
    for _, batch in sorted(ledger.items(), key=lambda item: item[1].at):
        exported.update(batch.rows)
        when.update(dict.fromkeys(batch.rows, batch.at))
    return exported, when


def outcome(
    key: str,
    exported: Mapping[str, str],
    verified: Mapping[str, VerifiedEntry],
    rejected: Mapping[str, Rejection],
) -> str:
    """`edited` or `accepted`, or "" for a turn that is not done."""
    if key in verified:
        same = text_hash(without_frame(verified[key].text)) == exported[key]
        return "accepted" if same else "edited"
    rejection = rejected.get(key)
    return "edited" if rejection and rejection.translation == exported[key] else ""


def _hours(exported: str, entry: VerifiedEntry) -> float:
    """Below 0 where one of the times is not known, or the text was there before."""
    if not exported or not entry.created:
        return -1.0
    return (_time(entry.created) - _time(exported)).total_seconds() / _HOUR_S


def _time(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _ratings(decisions: Sequence[Decision]) -> list[dict[str, str]]:
    """Who said what of each turn; a row without a name counts for its file."""
    by_id: dict[str, dict[str, str]] = defaultdict(dict)
    for one in decisions:
        by_id[one.id][one.reviewer or one.batch] = str(one.verdict)
    return list(by_id.values())
