"""What a reviewer decided on the page, kept on disk: a CSV of their own beside the exported one.

Every decision replaces that file in one step, so a crash loses nothing and opening the page again
goes on where it stopped. The exported file, which may be open in a spreadsheet, is only read.
What was typed and not decided waits in a drafts file: an undecided row is no business of intake.
"""

import re
import threading
from dataclasses import replace
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict

from palo.errors import UserError, unknown
from palo.files import read_json, replaced, write_json
from refine.intake import Decision, ReviewedTurn, decide
from refine.review_file import (
    ReviewRow,
    ReviewVerdict,
    parse_review_id,
    read_review,
    review_csvs,
    too_long,
    write_review,
)

UNNAMED = "page"  # stands in file names for a reviewer who gave no name
_EXPORTED = re.compile(r"[a-z]+-\d+")  # `batch-0001`, not `batch-0001.ana`
_SIDECAR = "errors"  # `batch-0001.errors.csv` is intake's


class Unsaved(UserError):
    """A decision that intake would refuse; `column` is where the fault lies."""

    def __init__(self, column: str, text: str) -> None:
        super().__init__(text)
        self.column = column


class RowEntry(BaseModel):
    """What the reviewer filled in for one row, as the page sends it; verdict "" is undecided."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    verdict: str = ""
    correction: str = ""
    error_type: str = ""
    all_copies: str = ""
    note: str = ""

    @classmethod
    def of(cls, row: ReviewRow | None) -> Self:
        names = cls.model_fields
        return cls(**{name: getattr(row, name) for name in names}) if row else cls()


def own_path(exported: Path, reviewer: str) -> Path:
    """`batch-0001.ana.csv`: one file a reviewer, whatever their name is written with."""
    slug = re.sub(r"\W+", "-", reviewer.casefold()).strip("-_") or UNNAMED
    slug = f"{slug}-1" if slug == _SIDECAR else slug[:60]
    return exported.with_name(f"{exported.stem}.{slug}.csv")


def find_batch(folder: Path, lang: str, name: str | None, reviewer: str) -> Path:
    """By name, or the first with rows that nobody here has decided. Raises UserError for none."""
    batches = [path for path in review_csvs(folder) if _EXPORTED.fullmatch(path.stem)]
    if not batches:
        raise UserError(
            f"No review batch of '{lang}' in {folder}. Run `palo refine --lang {lang}` first."
        )
    if name is not None:
        named = {path.stem: path for path in batches}
        wanted = name.removesuffix(".csv")
        if wanted not in named:
            raise unknown("batch", wanted, named, "batches")
        return named[wanted]
    for path in batches:
        store = ReviewStore(path, lang, reviewer)
        done = {key for key, entry in store.entries().items() if entry.verdict}
        if any(row.id not in done | store.decided_elsewhere().keys() for row in store.rows):
            return path
    names = " ".join(path.stem for path in batches)
    raise UserError(
        f"Every row of '{lang}' is decided ({names}). Run `palo refine --lang {lang}` to take the "
        f"decisions in, or look at a batch again with --batch {batches[-1].stem}."
    )


class ReviewStore:
    """The rows of one exported batch and one reviewer's decisions; safe to use from threads."""

    def __init__(self, exported: Path, lang: str, reviewer: str) -> None:
        self.exported, self.lang, self.reviewer = exported, lang, reviewer
        self.path = own_path(exported, reviewer)
        self.drafts_path = self.path.with_name(f".{self.path.stem}.drafts.json")
        self._lock = threading.Lock()
        read = read_review(exported)
        if not read.rows:
            why = "; ".join(problem.problem for problem in read.problems) or "it has no rows"
            raise UserError(f"{exported} cannot be reviewed: {why}.")
        self._by_id: dict[str, ReviewRow] = {}
        for row in read.rows:
            self._by_id.setdefault(row.id, row)
        self.rows = tuple(self._by_id.values())

    def entries(self) -> dict[str, RowEntry]:
        """Decisions and drafts by row id."""
        with self._lock:
            return self._merged(self._own_rows(), self._drafts())

    def num_decided(self) -> int:
        return sum(bool(entry.verdict) for entry in self.entries().values())

    def decided_elsewhere(self) -> dict[str, str]:
        """Verdicts that the exported file holds by now, by row id; "edited" where there is none."""
        touched = [row for row in read_review(self.exported).rows if not row.untouched]
        return {row.id: row.verdict.strip() or "edited" for row in touched}

    def save(self, row_id: str, entry: RowEntry) -> RowEntry:
        """Keeps the entry on disk and returns what stands there.

        What was typed is kept in any case. Raises Unsaved for a verdict that intake would refuse;
        a decision made before then stands as it was. UserError where the row is unknown, or
        another program has left the reviewer's own file unreadable.
        """
        if row_id not in self._by_id:
            raise UserError(f"No row '{row_id}' in {self.exported.name}.")
        with self._lock:
            own, drafts = self._own_rows(), self._drafts()
            drafts[row_id] = entry.model_copy(update={"verdict": ""})
            self._write_drafts(drafts)
            before = own.get(row_id)
            if entry.verdict:
                own[row_id] = self._decided(self._by_id[row_id], entry)
            else:
                own.pop(row_id, None)
            if own.get(row_id) != before:
                self._write_own(own)
            if entry.verdict and own[row_id].correction == entry.correction:
                del drafts[row_id]
                self._write_drafts(drafts)
            return self._merged(own, drafts)[row_id] if row_id in own | drafts else RowEntry()

    def _decided(self, row: ReviewRow, entry: RowEntry) -> ReviewRow:
        """The row as intake will read it, checked by what intake checks with."""
        fixed = entry.verdict == ReviewVerdict.FIX
        kept = entry if fixed else entry.model_copy(update={"correction": ""})
        filled = replace(row, **kept.model_dump(), reviewer=self.reviewer)
        if column := too_long(filled):
            raise Unsaved(column, f"'{column}' is longer than a spreadsheet cell can be")
        if fixed and entry.correction.strip() == row.translation.strip():
            raise Unsaved("correction", "the correction is the translation itself: accept it")
        key = parse_review_id(row.id)
        # the page has no shards: the exported texts stand for the turn
        turn = ReviewedTurn(*key, row.english, "", (row.translation,)) if key else None
        outcome = decide(replace(filled, file=self.path.name, line=0), self.lang, turn)
        if not isinstance(outcome, Decision):
            raise Unsaved(outcome[0].column, "; ".join(problem.problem for problem in outcome))
        return filled

    def _own_rows(self) -> dict[str, ReviewRow]:
        """Read anew each time: the reviewer may have changed the file by other means."""
        if not self.path.is_file():
            return {}
        read = read_review(self.path)
        if read.problems:
            raise UserError(
                f"{self.path} was changed by another program and cannot be read: "
                f"{read.problems[0].problem}. Mend it or move it away; nothing was overwritten."
            )
        return {row.id: row for row in read.rows}

    def _write_own(self, rows: dict[str, ReviewRow]) -> None:
        if not rows:
            self.path.unlink(missing_ok=True)
            return
        places = {row.id: at for at, row in enumerate(self.rows)}
        ordered = sorted(rows.values(), key=lambda row: places.get(row.id, len(places)))
        with replaced(self.path) as temporary:
            temporary.unlink(missing_ok=True)  # of a process that was killed
            write_review(temporary, ordered)

    def _drafts(self) -> dict[str, RowEntry]:
        if not self.drafts_path.is_file():
            return {}
        return {key: RowEntry(**value) for key, value in read_json(self.drafts_path).items()}

    def _write_drafts(self, drafts: dict[str, RowEntry]) -> None:
        kept = {key: draft.model_dump() for key, draft in drafts.items() if draft != RowEntry()}
        if kept:
            write_json(self.drafts_path, kept)
        else:
            self.drafts_path.unlink(missing_ok=True)

    def _merged(
        self, own: dict[str, ReviewRow], drafts: dict[str, RowEntry]
    ) -> dict[str, RowEntry]:
        """A draft is younger than the decision it belongs to, if there is one."""
        merged = {key: RowEntry.of(row) for key, row in own.items()}
        for key, draft in drafts.items():
            verdict = RowEntry.of(own.get(key)).verdict
            merged[key] = draft.model_copy(update={"verdict": verdict})
        return merged
