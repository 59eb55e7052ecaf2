"""What reviewing said of the machine: rounds, translators before and after, audits of what passed.

A round is an exported batch, in the order of their numbers: the seed's first, then the others.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any

from palo.paths import DataPaths
from refine.audit import audit_results
from refine.queue import SEED, Exported, load_ledger
from refine.review_file import (
    ADJUDICATION,
    ReviewRow,
    ReviewVerdict,
    parse_export_hash,
    read_review,
    returned_files,
)
from refine.run import State


class RoundKind(StrEnum):
    """Which turns a round holds."""

    SEED = "seed"  # all of a sample of conversations
    FLAGGED = "flagged"  # those that filters stopped
    AUDIT = "audit"  # drawn from those that passed
    CHOSEN = "chosen"  # by hand (`palo review export`), or nobody knows


@dataclass(frozen=True)
class JudgedRow:
    """One decided row; `human` is "" where a person rejected the text and wrote no other."""

    edited: bool
    machine: str
    human: str


@dataclass(frozen=True)
class RoundScore:
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
    kind: RoundKind
    translator: str
    rows: Mapping[str, JudgedRow]

    @cached_property
    def score(self) -> RoundScore:
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
        name: batch
        for name, batch in load_ledger(folder).items()
        if not name.startswith(ADJUDICATION)
    }
    batches = {turn: name for name, batch in ledger.items() for turn in batch.rows.items()}
    rows: dict[str, dict[str, JudgedRow]] = defaultdict(dict)
    for path in sorted(returned_files(folder), key=lambda path: path.stem.startswith(ADJUDICATION)):
        for read in read_review(path).rows:
            judged, exported = _judged(read.row), parse_export_hash(read.row.hash)
            key = read.row.id.strip()
            if judged and exported and (name := batches.get((key, exported[1]))):
                rows[name][key] = judged
    return [
        Round(name, _kind(name, ledger[name]), ledger[name].translator, rows[name])
        for name in sorted(rows, key=_order)
    ]


def score(rows: Iterable[JudgedRow]) -> RoundScore:
    """Of one row or more."""
    from sacrebleu.metrics.chrf import CHRF

    judged = list(rows)
    edited = sum(row.edited for row in judged)
    chrf, signature = None, ""
    if texts := [(row.machine, row.human) for row in judged if row.human]:
        metric = CHRF()
        machine, human = map(list, zip(*texts, strict=True))
        chrf = metric.corpus_score(machine, [human]).score
        signature = str(metric.get_signature())
    return RoundScore(len(judged), edited, edited / len(judged), chrf, signature)


def _order(name: str) -> tuple[bool, int, str]:
    number = name.rpartition("-")[2]
    return not name.startswith(SEED), int(number) if number.isdecimal() else 0, name


def _kind(name: str, batch: Exported) -> RoundKind:
    if name.startswith(SEED):
        return RoundKind.SEED
    if batch.audit:
        return RoundKind.AUDIT
    return RoundKind.FLAGGED if batch.translator else RoundKind.CHOSEN


def _judged(row: ReviewRow) -> JudgedRow | None:
    verdict = row.verdict.strip().lower()
    if verdict not in list(ReviewVerdict):
        return None
    if verdict == ReviewVerdict.ACCEPT:
        return JudgedRow(False, row.translation, row.translation)
    return JudgedRow(True, row.translation, row.correction.strip())


@dataclass(frozen=True)
class Quality:
    """`edit_rate`: share of turns that a person would change; `chrf`: 0 to 100, against theirs."""

    edit_rate: float
    chrf: float | None


@dataclass(frozen=True)
class TranslatorReview:
    """What people said of one translator's turns; `flagged_share` is of them, when first judged."""

    translator: str
    flagged_share: float | None
    scores: Mapping[RoundKind, RoundScore]

    def quality(self, of_all: bool) -> Quality | None:
        """Of all its turns, or of the flagged ones alone; None where that was not reviewed."""
        flagged, passed = self.scores.get(RoundKind.FLAGGED), self.scores.get(RoundKind.AUDIT)
        if not of_all:
            return Quality(flagged.edit_rate, flagged.chrf) if flagged else None
        if seed := self.scores.get(RoundKind.SEED):
            return Quality(seed.edit_rate, seed.chrf)
        share = self.flagged_share
        if passed is None or share is None or (flagged is None and share > 0):
            return None
        if flagged is None:
            return Quality(passed.edit_rate, passed.chrf)
        rate = share * flagged.edit_rate + (1 - share) * passed.edit_rate
        if flagged.chrf is None or passed.chrf is None:
            return Quality(rate, None)
        return Quality(rate, share * flagged.chrf + (1 - share) * passed.chrf)

    def as_json(self) -> dict[str, Any]:
        return {
            "translator": self.translator,
            "flagged_share": self.flagged_share,
            "scores": {str(kind): asdict(scored) for kind, scored in self.scores.items()},
        }


@dataclass(frozen=True)
class BeforeAfter:
    """The first translator and the last; `after` is None where there has been but one."""

    of_all: bool
    before: Quality
    after: Quality | None


def translators(
    paths: DataPaths, lang: str, reviewed: Sequence[Round], history: Sequence[State]
) -> list[TranslatorReview]:
    """Those whose turns were reviewed, in the order in which their turns first went out.

    The flagged share is as the run found it that sent the first turns out; of copies of one file,
    each turn counts once.
    """
    since: dict[str, str] = {}
    for batch in sorted(load_ledger(paths.review(lang)).values(), key=lambda batch: batch.at):
        if batch.translator:
            since.setdefault(batch.translator, batch.at)
    reviews = []
    for name, at in since.items():
        rows: dict[RoundKind, dict[str, JudgedRow]] = {}
        for each in reviewed:
            if each.translator == name:
                rows.setdefault(each.kind, {}).update(each.rows)
        if rows:
            before = [state.machine_share for state in history if state.at <= at]
            scores = {kind: score(judged.values()) for kind, judged in rows.items()}
            reviews.append(TranslatorReview(name, before[-1] if before else None, scores))
    return reviews


def before_after(reviews: Sequence[TranslatorReview]) -> BeforeAfter | None:
    """Of all turns where both translators can be told so, else of the flagged ones."""
    if not reviews:
        return None
    first, last = reviews[0], reviews[-1]
    alone = None
    for of_all in (True, False):
        before = first.quality(of_all)
        after = last.quality(of_all) if last is not first else None
        if before and after:
            return BeforeAfter(of_all, before, after)
        alone = alone or (BeforeAfter(of_all, before, None) if before else None)
    return alone


class Acceptance(StrEnum):
    MET = "met"
    FAILED = "failed"
    OPEN = "open"  # too few rows audited to say


@dataclass(frozen=True)
class AuditedTranslator:
    """Errors among audited rows of one translator.

    `low` and `high` bound their share in all turns that passed (Wilson, 95%).
    """

    translator: str
    num_rows: int
    num_errors: int
    low: float
    high: float
    acceptance: Acceptance


def audits(paths: DataPaths, lang: str, plan: tuple[int, int]) -> list[AuditedTranslator]:
    """Of each translator of which audited rows came back, the oldest first."""
    return [
        AuditedTranslator(
            translator,
            result.num_rows,
            result.num_errors,
            result.low,
            result.high,
            accepted(result.num_rows, result.num_errors, *plan),
        )
        for translator, result in audit_results(paths, lang).items()
        if result.num_rows
    ]


def accepted(num_rows: int, num_errors: int, plan_rows: int, max_errors: int) -> Acceptance:
    """Of more rows than the plan has, as many more may be wrong."""
    if num_errors > max_errors * max(1.0, num_rows / plan_rows):
        return Acceptance.FAILED
    return Acceptance.MET if num_rows >= plan_rows else Acceptance.OPEN
