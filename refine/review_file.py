"""The one module that reads and writes review files: a lossless trip through any spreadsheet.

CSVs are UTF-8 with a BOM, so that Excel opens them right. Ids begin with a letter, a cell that a
spreadsheet would take for a formula, number or date gets a leading apostrophe, and `hash` says
what was exported, so that a cell which a spreadsheet retouched (NBSP, smart quotes) is no edit.

A workbook stands beside its CSV and holds the same rows: text cells, lists to choose from,
right-to-left sheets. Reviewers send back one of the two; where both come back, rows that say the
same count once, and rows that differ are a conflict.
"""

import csv
import hashlib
import io
import re
import unicodedata
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from enum import StrEnum
from pathlib import Path
from xml.etree.ElementTree import ParseError

from palo.errors import UserError, nearest
from palo.files import replaced
from palo.languages import LANGUAGES, info

MAX_CELL_CHARS = 32_767  # Excel cuts longer cells without a word
ERRORS_SUFFIX = ".errors.csv"
XLSX = ".xlsx"
ADJUDICATION = "adjudicate"  # the files whose word settles a conflict begin with it

_FIELD_LIMIT = 100_000_000  # csv's own limit, 131,072, is below what a hand-made cell may hold
_FORMULA = "=+-@\t\r\n'"  # a spreadsheet may save a return as a line feed
# What a spreadsheet would rewrite as a number, a date or a truth value: 007, 1e5, 1/2, TRUE.
_VALUE = re.compile(r"[\d\s.,:/%-]*\d[\d\s.,:/%-]*(?:e[+-]?\d+)?|true|false", re.IGNORECASE)
_DELIMITERS = ",;\t"
_REQUIRED = ("id", "translation", "verdict", "correction", "hash")
_QUOTES = str.maketrans({"‘": "'", "’": "'", "“": '"', "”": '"', "„": '"', "\ufeff": None})
_WIDTHS = {"english": 48, "translation": 48, "correction": 48, "previous": 32, "reasons": 32}
_WIDTH = 14  # characters of a workbook's other columns

ReviewVerdict = StrEnum("ReviewVerdict", "ACCEPT FIX REJECT")
# A short MQM list, plus what only language models do.
ErrorType = StrEnum(
    "ErrorType",
    "MISTRANSLATION OMISSION ADDITION UNTRANSLATED GRAMMAR GENDER SPELLING PUNCTUATION "
    "CONSISTENCY TERMINOLOGY STYLE ANSWERED REFUSAL PLACEHOLDER OTHER",
)


@dataclass(frozen=True)
class ReviewRow:
    """One turn; a reviewer fills in `verdict` to `reviewer`. Read, it has a file and a line."""

    id: str
    lang: str
    image: str
    previous: str
    english: str
    translation: str
    reasons: str
    verdict: str = ""
    correction: str = ""
    error_type: str = ""
    all_copies: str = ""
    note: str = ""
    reviewer: str = ""
    hash: str = ""
    file: str = field(default="", compare=False)
    line: int = field(default=0, compare=False)

    def problem(self, column: str, text: str) -> "Problem":
        return Problem(self.file, self.line, self.id, column, getattr(self, column), text)

    @property
    def untouched(self) -> bool:
        return not (self.verdict.strip() or self.correction.strip() or self.error_type.strip())


COLUMNS = tuple(column.name for column in fields(ReviewRow) if column.compare)


@dataclass(frozen=True)
class Problem:
    """What is wrong with a row (line 1 is the header; line 0 means the file as a whole)."""

    file: str
    line: int
    id: str
    column: str
    value: str
    problem: str


@dataclass(frozen=True)
class ReadFile:
    rows: tuple[ReviewRow, ...]
    problems: tuple[Problem, ...]


def review_id(sample_id: str, turn: int) -> str:
    """`t3.<sample id>`: begins with a letter, so no spreadsheet makes a number or date of it."""
    return f"t{turn}.{sample_id}"


def parse_review_id(text: str) -> tuple[str, int] | None:
    """The sample id and the turn (from 0), or None for what is no id."""
    number, dot, sample_id = text.strip().removeprefix("t").partition(".")
    if not dot or not sample_id or not number.isascii() or not number.isdigit():
        return None
    return sample_id, int(number)


def text_hash(text: str) -> str:
    """10 hex digits over the text as it survives a spreadsheet: NFC, plain quotes and spaces."""
    plain = unicodedata.normalize("NFC", text).translate(_QUOTES)
    return hashlib.blake2b(" ".join(plain.split()).encode(), digest_size=5).hexdigest()


def export_hash(english: str, translation: str) -> str:
    return f"h{text_hash(english)}-{text_hash(translation)}"


def parse_export_hash(text: str) -> tuple[str, str] | None:
    """The hashes of the English and of the translation as exported."""
    english, dash, translation = text.strip().removeprefix("h").partition("-")
    if not dash or len(english) != 10 or len(translation) != 10:
        return None
    return english, translation


def translation_hash(row: ReviewRow) -> str:
    hashes = parse_export_hash(row.hash)
    assert hashes is not None
    return hashes[1]


def too_long(row: ReviewRow) -> str | None:
    """The first column whose cell no spreadsheet would hold, or None."""
    return next(
        (name for name in COLUMNS if len(escape(getattr(row, name))) > MAX_CELL_CHARS), None
    )


def errors_path(path: Path) -> Path:
    """`batch-0001.errors.csv`, and `batch-0001.xlsx.errors.csv` for a workbook."""
    stem = path.stem if path.suffix == ".csv" else path.name
    return path.with_name(stem + ERRORS_SUFFIX)


def returned_files(folder: Path) -> list[Path]:
    """Review CSVs and workbooks, by name; no sidecars and no lock files of office programs."""
    return sorted(
        path
        for path in folder.glob("*")
        if path.suffix in (".csv", XLSX)
        and not path.name.startswith((".", "~"))
        and not path.name.endswith(ERRORS_SUFFIX)
    )


def review_csvs(folder: Path) -> list[Path]:
    return [path for path in returned_files(folder) if path.suffix == ".csv"]


def write_review(path: Path, rows: Sequence[ReviewRow]) -> None:
    """Writes a new batch, as a workbook where the name says so.

    A workbook lacks rows with control characters, which none can hold; the CSV has them. Raises
    UserError where the file exists or a cell is too long.
    """
    if path.exists():
        raise UserError(f"{path} exists and may be open at a reviewer's; it is never overwritten.")
    for row in rows:
        if column := too_long(row):
            raise UserError(
                f"Turn {row.id}: '{column}' has {len(getattr(row, column))} characters, but a "
                f"spreadsheet cell holds {MAX_CELL_CHARS}. Review this turn outside the CSV."
            )
    if path.suffix == XLSX:
        _write_workbook(path, rows)
    else:
        _write_csv(path, COLUMNS, [[getattr(row, name) for name in COLUMNS] for row in rows])


def write_problems(path: Path, problems: Sequence[Problem]) -> None:
    """Writes the sidecar of a review file, or removes it where there is nothing to say."""
    if not problems:
        path.unlink(missing_ok=True)
        return
    _write_csv(path, list(vars(problems[0])), [list(vars(each).values()) for each in problems])


def escape(cell: str) -> str:
    """A leading apostrophe before what a spreadsheet would run or rewrite; reversible."""
    return "'" + cell if _is_taken(cell) else cell


def unescape(cell: str) -> str:
    return cell[1:] if cell[:1] == "'" and _is_taken(cell[1:]) else cell


def _is_taken(cell: str) -> bool:
    return cell[:1] != "" and (cell[0] in _FORMULA or _VALUE.fullmatch(cell) is not None)


def _write_csv(path: Path, header: Sequence[str], rows: Sequence[Sequence[str | int]]) -> None:
    """Numbers are written as they are, texts escaped."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer)
    writer.writerow(header)
    writer.writerows([escape(cell) if isinstance(cell, str) else cell for cell in r] for r in rows)
    with replaced(path) as temporary:
        temporary.write_bytes(buffer.getvalue().encode("utf-8-sig"))


def _write_workbook(path: Path, rows: Sequence[ReviewRow]) -> None:
    from openpyxl import Workbook
    from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
    from openpyxl.styles import Alignment, Font, PatternFill
    from openpyxl.utils import get_column_letter
    from openpyxl.worksheet.datavalidation import DataValidation

    book = Workbook()
    sheet = book.active
    right_to_left = bool(rows) and rows[0].lang in LANGUAGES and info(rows[0].lang).right_to_left
    sheet.title = "review"
    sheet.sheet_view.rightToLeft = right_to_left
    sheet.freeze_panes = "B2"
    for column, name in enumerate(COLUMNS, start=1):
        cell = sheet.cell(1, column, name)
        cell.font = Font(bold=True)
        cell.fill = PatternFill("solid", start_color="DDE6F0")
        cell.alignment = Alignment(vertical="top")
        sheet.column_dimensions[get_column_letter(column)].width = _WIDTHS.get(name, _WIDTH)
    texts = [[getattr(row, name) for name in COLUMNS] for row in rows]
    texts = [row for row in texts if not any(map(ILLEGAL_CHARACTERS_RE.search, row))]
    for line, row in enumerate(texts, start=2):
        for column, (name, text) in enumerate(zip(COLUMNS, row, strict=True), start=1):
            cell = sheet.cell(line, column)
            if text:
                cell.value = text
                cell.data_type = "s"  # else "=1+1" is a formula
            cell.number_format = "@"
            in_language = right_to_left and name in ("translation", "correction")
            order = 2 if in_language else 1  # right to left, and left to right
            cell.alignment = Alignment(wrap_text=True, vertical="top", readingOrder=order)
    choices = {"verdict": ReviewVerdict, "error_type": ErrorType, "all_copies": ("yes",)}
    for name, words in choices.items():
        letter = get_column_letter(COLUMNS.index(name) + 1)
        offered = DataValidation("list", formula1=f'"{",".join(words)}"', allow_blank=True)
        offered.showErrorMessage = False  # intake says what is wrong, with the row
        sheet.add_data_validation(offered)
        offered.add(f"{letter}2:{letter}{max(2, len(texts) + 1)}")
    with replaced(path) as temporary:
        book.save(temporary)


def read_review(path: Path, name: str = "") -> ReadFile:
    """All rows of a CSV or workbook, however it was saved; what cannot be read is a Problem. `name`
    is what rows and problems call the file, where it will have another."""
    file = name or path.name
    try:
        lines = _workbook_lines(path) if path.suffix == XLSX else _csv_lines(path.read_bytes())
        start = next((at for at, (_, cells) in enumerate(lines) if any(cells)), None)
        if start is None:
            raise UserError("the file is empty")
        header = [name.strip().lower() for name in lines[start][1]]
        if missing := [name for name in _REQUIRED if name not in header]:
            renamed = [name for name in header if name and name not in COLUMNS]
            hints = ((name, nearest(name, renamed)) for name in missing)
            shown = (f"'{name}'" + (f" (renamed to '{to}'?)" if to else "") for name, to in hints)
            known = f"Columns: {' '.join(COLUMNS)}"
            raise UserError(f"columns are missing: {', '.join(shown)}. {known}")
    except UserError as error:
        return ReadFile((), (Problem(file, 0, "", "", "", str(error)),))
    as_typed = str if path.suffix == XLSX else unescape
    rows, problems = [], []
    for line, cells in lines[start + 1 :]:
        if not any(cell.strip() for cell in cells):
            continue
        if any(cells[len(header) :]):
            wrong = "more cells than the header has columns"
            problems.append(Problem(file, line, cells[0], "", "", wrong))
            continue
        values = dict(zip(header, cells, strict=False))
        texts = {name: as_typed(values.get(name, "")) for name in COLUMNS}
        rows.append(ReviewRow(**texts, file=file, line=line))
    return ReadFile(tuple(rows), tuple(problems))


def _csv_lines(data: bytes) -> list[tuple[int, list[str]]]:
    """Rows with the line each begins on, by the delimiter that the header was written with."""
    how = "Save it as 'CSV UTF-8' (Excel) or with character set UTF-8 (LibreOffice)."
    if data.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\x00" in data[:1000]:
        raise UserError(f"the file is UTF-16, not UTF-8. {how}")
    try:
        text = data.decode("utf-8").lstrip("\ufeff")
    except UnicodeDecodeError as error:
        raise UserError(
            f"the file is not UTF-8 (byte {error.start} is {data[error.start]:#04x}, as in Windows "
            f"code pages, which lose most languages' letters). {how} "
            "If letters are lost already, take the exported file again."
        ) from None
    first, _, rest = text.partition("\n")
    skipped = 0
    if first.strip().lower().startswith("sep="):
        text, skipped = rest, 1
        first = rest.partition("\n")[0]
    csv.field_size_limit(_FIELD_LIMIT)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(_DELIMITERS, key=first.count))
    lines, line = [], 1
    for cells in reader:
        lines.append((line + skipped, cells))
        line = reader.line_num + 1
    return lines


def _workbook_lines(path: Path) -> list[tuple[int, list[str]]]:
    """The rows of the first sheet; a number that a person typed into a cell is text, too."""
    from openpyxl import load_workbook
    from openpyxl.utils.exceptions import InvalidFileException

    def as_text(value: object) -> str:
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        return "" if value is None else str(value)

    try:
        with path.open("rb") as file:
            book = load_workbook(file, read_only=True, data_only=True)
            rows = book.worksheets[0].iter_rows(values_only=True)
            return [(line, list(map(as_text, row))) for line, row in enumerate(rows, start=1)]
    except (zipfile.BadZipFile, InvalidFileException, KeyError, ValueError, ParseError) as error:
        said = str(error).strip().split("\n")[0]
        raise UserError(
            f"the file is no workbook that can be read: {said}. Send the CSV instead"
        ) from None
