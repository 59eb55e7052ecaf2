"""Where the review of a language stands: rows out, done, conflicts, agreement, edits, time."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import median

from palo.checks.structure import without_frame
from palo.memory import VerifiedEntry, VerifiedMemory
from palo.paths import DataPaths
from refine.intake import load_rejections, read_decisions, settle
from refine.queue import load_ledger
from refine.review_file import read_review, returned_files, review_id, text_hash


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
    exported: dict[str, str] = {}  # the text that each turn last went out with
    when: dict[str, str] = {}
    for batch in sorted(load_ledger(folder).values(), key=lambda batch: batch.at):
        exported.update(batch.rows)
        when.update(dict.fromkeys(batch.rows, batch.at))
    done = edits(paths, lang, exported)
    reads = [read_review(path) for path in returned_files(folder)]
    decisions, _ = read_decisions(paths, lang, reads)
    # who said what of each turn; a row without a name counts for its file
    ratings: dict[str, dict[str, str]] = defaultdict(dict)
    for decision in decisions:
        reviewer = decision.entry.reviewer or decision.entry.batch
        ratings[decision.id][reviewer] = str(decision.verdict)
    # unknown where a time is missing, or the text was there before the turn went out
    hours = [
        (_time(entry.created) - _time(when[key])).total_seconds() / 3600
        for key, entry in _verified(paths, lang).items()
        if when.get(key) and entry.created
    ]
    hours = [taken for taken in hours if taken >= 0]
    return ReviewStatus(
        lang=lang,
        out=len(exported),
        done=len(done),
        conflicts=len(settle(decisions)[1]),
        agreement=agreement(list(ratings.values())),
        edit_rate=sum(done) / len(done) if done else None,
        median_hours=median(hours) if hours else None,
    )


def edits(paths: DataPaths, lang: str, exported: Mapping[str, str]) -> list[bool]:
    """Of each done turn, by the translation that went out, whether it was rewritten or rejected."""
    verified, rejected = _verified(paths, lang), load_rejections(paths.review(lang))
    done = []
    for key, translation in exported.items():
        if key in verified:
            done.append(text_hash(without_frame(verified[key].text)) != translation)
        elif key in rejected and rejected[key].translation == translation:
            done.append(True)
    return done


def _verified(paths: DataPaths, lang: str) -> dict[str, VerifiedEntry]:
    with VerifiedMemory.existing(paths.verified(lang)) as memory:
        return {review_id(entry.sample_id, entry.turn): entry for entry in memory.entries()}


def _time(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def agreement(turns: Sequence[Mapping[str, str]]) -> float | None:
    """Of turns (reviewer -> label): Cohen's kappa of two, Krippendorff's alpha of more, or None."""
    shared = [turn for turn in turns if len(turn) > 1]
    reviewers = sorted({name for turn in shared for name in turn})
    if len(reviewers) == 2:
        first, second = reviewers
        return cohen_kappa([(turn[first], turn[second]) for turn in shared])
    return krippendorff_alpha([list(turn.values()) for turn in shared])


def cohen_kappa(pairs: Sequence[tuple[str, str]]) -> float | None:
    """Cohen 1960. None where chance alone explains full agreement, or without pairs."""
    if not pairs:
        return None
    total = len(pairs)
    observed = sum(first == second for first, second in pairs) / total
    firsts, seconds = (Counter(labels) for labels in zip(*pairs, strict=True))
    expected = sum(firsts[label] * seconds[label] for label in firsts) / total**2
    return None if expected == 1 else (observed - expected) / (1 - expected)


def krippendorff_alpha(units: Sequence[Sequence[str]]) -> float | None:
    """Nominal alpha over units of any number of labels (Krippendorff 2011); None as for kappa."""
    paired = [Counter(labels) for labels in units if len(labels) > 1]
    totals: Counter[str] = sum(paired, Counter())
    total = totals.total()
    expected = total**2 - sum(count**2 for count in totals.values())
    if not expected:
        return None
    differing = 0.0
    for unit in paired:
        size = unit.total()
        differing += (size**2 - sum(count**2 for count in unit.values())) / (size - 1)
    return 1 - (total - 1) * differing / expected
