"""Review batches as Excel workbooks: text cells, lists to choose from, right-to-left sheets.

A workbook stands beside its CSV and holds the same rows. Reviewers send back one of the two;
where both come back, rows that say the same count once, and rows that differ are a conflict.
"""

import zipfile
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

from palo.errors import UserError
from palo.files import replaced
from palo.languages import LANGUAGES, info
from refine.decisions import ErrorType, ReviewVerdict
from refine.review_csv import COLUMNS, Problem, ReadFile, ReadRow, ReviewRow, missing_columns

_WIDTHS = {"english": 48, "translation": 48, "correction": 48, "previous": 32, "reasons": 32}
_WIDTH = 14  # characters of the other columns
_RTL_ORDER, _LTR_ORDER = 2, 1
_IN_LANGUAGE = frozenset({"translation", "correction"})
_HEADER_FILL = "DDE6F0"
_CHOICES = {
    "verdict": tuple(map(str, ReviewVerdict)),
    "error_type": tuple(map(str, ErrorType)),
    "all_copies": ("yes",),
}


def write_xlsx(path: Path, rows: Sequence[ReviewRow]) -> None:
    """Writes a new workbook; rows with control characters, which none can hold, stay in the CSV.

    Raises UserError where the file exists.
    """
    from openpyxl import Workbook
    from openpyxl.utils.exceptions import IllegalCharacterError

    if path.exists():
        raise UserError(f"{path} exists and may be open at a reviewer's; it is never overwritten.")
    book = Workbook()
    sheet = book.active
    right_to_left = bool(rows) and rows[0].lang in LANGUAGES and info(rows[0].lang).right_to_left
    _lay_out(sheet, right_to_left)
    at = 2
    for row in rows:
        try:
            for column, name in enumerate(COLUMNS, start=1):
                _fill(sheet.cell(at, column), getattr(row, name), name, right_to_left)
        except IllegalCharacterError:
            sheet.delete_rows(at)
            continue
        at += 1
    _offer_choices(sheet, at - 1)
    with replaced(path) as temporary:
        book.save(temporary)


def read_xlsx(path: Path) -> ReadFile:
    """All rows of the first sheet; what cannot be read is a Problem."""
    from openpyxl import load_workbook
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        with path.open("rb") as file:
            book = load_workbook(file, read_only=True, data_only=True)
            cells = [
                [_text(value) for value in line]
                for line in book.worksheets[0].iter_rows(values_only=True)
            ]
    except (zipfile.BadZipFile, InvalidFileException, KeyError, ValueError, ParseError) as error:
        said = str(error).strip().split("\n")[0]
        problem = f"the file is no workbook that can be read: {said}. Send the CSV instead"
        return ReadFile((), (Problem(path.name, 0, "", "", "", problem),))
    if not any(any(line) for line in cells):
        return ReadFile((), (Problem(path.name, 0, "", "", "", "the file is empty"),))
    header = [name.strip().lower() for name in cells[0]]
    if missing := missing_columns(header):
        return ReadFile((), (Problem(path.name, 0, "", "", "", missing),))
    rows = []
    for line, values in enumerate(cells[1:], start=2):
        if any(value.strip() for value in values):
            named = dict(zip(header, values, strict=False))
            known = {field.name: named.get(field.name, "") for field in fields(ReviewRow)}
            rows.append(ReadRow(path.name, line, ReviewRow(**known)))
    return ReadFile(tuple(rows), ())


def _lay_out(sheet: Any, right_to_left: bool) -> None:
    from openpyxl.styles import Alignment, Font, PatternFill
    from openpyxl.utils import get_column_letter

    sheet.title = "review"
    sheet.sheet_view.rightToLeft = right_to_left
    sheet.freeze_panes = "B2"
    for column, name in enumerate(COLUMNS, start=1):
        cell = sheet.cell(1, column, name)
        cell.font = Font(bold=True)
        cell.fill = PatternFill("solid", start_color=_HEADER_FILL)
        cell.alignment = Alignment(vertical="top")
        sheet.column_dimensions[get_column_letter(column)].width = _WIDTHS.get(name, _WIDTH)


def _fill(cell: Any, text: str, name: str, right_to_left: bool) -> None:
    from openpyxl.styles import Alignment

    if text:
        cell.value = text
        cell.data_type = "s"  # else "=1+1" is a formula
    cell.number_format = "@"
    order = _RTL_ORDER if right_to_left and name in _IN_LANGUAGE else _LTR_ORDER
    cell.alignment = Alignment(wrap_text=True, vertical="top", readingOrder=order)


def _offer_choices(sheet: Any, last: int) -> None:
    from openpyxl.utils import get_column_letter
    from openpyxl.worksheet.datavalidation import DataValidation

    for name, words in _CHOICES.items():
        letter = get_column_letter(COLUMNS.index(name) + 1)
        offered = DataValidation("list", formula1=f'"{",".join(words)}"', allow_blank=True)
        offered.showErrorMessage = False  # intake says what is wrong, with the row
        sheet.add_data_validation(offered)
        offered.add(f"{letter}2:{letter}{max(2, last)}")


def _text(value: object) -> str:
    """A cell as text; a number that a person typed into it, too."""
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
