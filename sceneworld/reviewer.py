"""A simulated reviewer, who fills in a review CSV as a person with a spreadsheet would."""

import csv
import io
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from sceneworld.truth import Truth, with_image_as_in, without_image

REVIEWER = "simulated"
# Spreadsheets take a cell that begins with one of these for a formula; exporters put `'` first.
FORMULA_MARKS = ("=", "+", "-", "@", "\t", "\r", "'")


@dataclass(frozen=True)
class ReviewSummary:
    """What became of the rows of one CSV."""

    accepted: int
    fixed: int
    unknown: int
    judged_before: int


def review_csv(csv_path: Path, truth: Truth) -> ReviewSummary:
    """Judge every row without a verdict against the truth, in place; unknown rows stay."""
    # newline="" and a reader over the whole text keep line breaks inside cells as they are.
    text = csv_path.read_bytes().decode("utf-8-sig")
    table = csv.DictReader(io.StringIO(text, newline=""))
    header = list(table.fieldnames or ())
    reviewed = list(table)
    outcomes = [_review(row, truth) for row in reviewed]
    with csv_path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, header)
        writer.writeheader()
        writer.writerows(reviewed)
    return ReviewSummary(
        accepted=outcomes.count("accept"),
        fixed=outcomes.count("fix"),
        unknown=outcomes.count("unknown"),
        judged_before=outcomes.count("judged before"),
    )


def _review(row: dict[str, str], truth: Truth) -> str:
    """Fill in one row; what became of it."""
    if row["verdict"]:
        return "judged before"
    english = unescape_cell(row["english"])
    true = _true_translation(truth, unescape_cell(row["previous"]), english, row["lang"])
    if true is None:
        return "unknown"
    true = with_image_as_in(true, english)
    row["all_copies"] = "yes"
    row["reviewer"] = REVIEWER
    if _same(unescape_cell(row["translation"]), true):
        row["verdict"] = "accept"
    else:
        row["verdict"] = "fix"
        row["correction"] = escape_cell(true)
        row["error_type"] = "grammar"
    return row["verdict"]


def _true_translation(truth: Truth, previous: str, english: str, lang: str) -> str | None:
    """An answer is known after its question, a question on its own."""
    text = without_image(english)
    found = truth.get((without_image(previous), text)) or truth.get(("", text))
    return found.get(lang) if found else None


def _same(one: str, other: str) -> bool:
    return unicodedata.normalize("NFC", one) == unicodedata.normalize("NFC", other)


def escape_cell(text: str) -> str:
    """Guard a cell that a spreadsheet would take for a formula."""
    return f"'{text}" if text.startswith(FORMULA_MARKS) else text


def unescape_cell(cell: str) -> str:
    """Undo `escape_cell`."""
    guarded = cell.startswith("'") and cell[1:].startswith(FORMULA_MARKS)
    return cell[1:] if guarded else cell
