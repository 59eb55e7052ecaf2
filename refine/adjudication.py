"""Turns on which reviewers disagree go to a third person, in a batch of their own."""

from collections.abc import Sequence
from pathlib import Path

from palo.checks.image_tag import without_frame
from refine.decisions import ADJUDICATION, Decision, ReviewVerdict
from refine.priority import Candidate
from refine.queue import Queue, export_review
from refine.review_csv import ReviewRow, text_hash


def export_adjudication(
    folder: Path, conflicts: Sequence[Sequence[Decision]], max_rows: int, now: str
) -> Queue:
    """A row a conflict that is not out yet; `reasons` shows what each reviewer wants.

    What the third person writes there decides (refine/decisions.py); until then none is taken.
    """
    rows = [Candidate(_row(group)) for group in conflicts]
    stems = (ADJUDICATION,)
    return export_review(folder, ADJUDICATION, rows, max_rows, now, one_file=False, among=stems)


def _row(group: Sequence[Decision]) -> ReviewRow:
    first = group[0]
    shown = first.row.row
    return ReviewRow(
        id=first.id,
        lang=shown.lang,
        image=shown.image,
        previous=shown.previous,
        english=without_frame(first.turn.source),
        translation=_exported(first),
        reasons="; ".join(f"{_who(one)}: {_said(one)}" for one in group),
        hash=shown.hash,
    )


def _exported(one: Decision) -> str:
    """The translation that was reviewed, which a reviewer may have edited in its cell."""
    plain = map(without_frame, one.turn.translations)
    found = next((text for text in plain if text_hash(text) == one.exported), None)
    return one.row.row.translation if found is None else found


def _who(one: Decision) -> str:
    return one.reviewer or f"{one.row.file} line {one.row.line}"


def _said(one: Decision) -> str:
    said = str(one.verdict)
    if one.verdict is ReviewVerdict.FIX:
        said += f" to '{without_frame(one.text)}'"
    return f"{said} ({one.note})" if one.note else said
