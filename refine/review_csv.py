"""The one module that reads and writes review CSVs: a lossless trip through any spreadsheet.

Files are UTF-8 with a BOM, so that Excel opens them right. Ids begin with a letter, a cell that a
spreadsheet would take for a formula, number or date gets a leading apostrophe, and `hash` says
what was exported, so that a cell which a spreadsheet retouched (NBSP, smart quotes) is no edit.
"""

import csv
import hashlib
import io
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from palo.errors import UserError, nearest
from palo.files import replaced

MAX_CELL_CHARS = 32_767  # Excel cuts longer cells without a word
ERRORS_SUFFIX = ".errors.csv"

_FIELD_LIMIT = 100_000_000  # csv's own limit, 131,072, is below what a hand-made cell may hold
_FORMULA = "=+-@\t\r\n'"  # a spreadsheet may save a return as a line feed
# What a spreadsheet would rewrite as a number, a date or a truth value: 007, 1e5, 1/2, TRUE.
_VALUE = re.compile(r"[\d\s.,:/%-]*\d[\d\s.,:/%-]*(?:e[+-]?\d+)?|true|false", re.IGNORECASE)
_DELIMITERS = ",;\t"
_REQUIRED = ("id", "translation", "verdict", "correction", "hash")


@dataclass(frozen=True)
class ReviewRow:
    """One turn for a reviewer; the last six but `hash` are theirs to fill in."""

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


COLUMNS = tuple(field.name for field in fields(ReviewRow))


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
class ReadRow:
    """A row as it came back, with the line of the file it begins on."""

    file: str
    line: int
    row: ReviewRow


@dataclass(frozen=True)
class ReadFile:
    rows: tuple[ReadRow, ...]
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


_QUOTES = str.maketrans({"‘": "'", "’": "'", "“": '"', "”": '"', "„": '"', "\ufeff": None})


def too_long(row: ReviewRow) -> str | None:
    """The first column whose cell no spreadsheet would hold, or None."""
    return next(
        (name for name in COLUMNS if len(escape(getattr(row, name))) > MAX_CELL_CHARS), None
    )


def write_review(path: Path, rows: Sequence[ReviewRow]) -> None:
    """Writes a new batch. Raises UserError where the file exists or a cell is too long."""
    if path.exists():
        raise UserError(f"{path} exists and may be open at a reviewer's; it is never overwritten.")
    for row in rows:
        if column := too_long(row):
            raise UserError(
                f"Turn {row.id}: '{column}' has {len(getattr(row, column))} characters, but a "
                f"spreadsheet cell holds {MAX_CELL_CHARS}. Review this turn outside the CSV."
            )
    _write(path, COLUMNS, [[escape(getattr(row, name)) for name in COLUMNS] for row in rows])


def errors_path(path: Path) -> Path:
    """`batch-0001.errors.csv`, and `batch-0001.xlsx.errors.csv` for a workbook."""
    stem = path.stem if path.suffix == ".csv" else path.name
    return path.with_name(stem + ERRORS_SUFFIX)


def write_problems(path: Path, problems: Sequence[Problem]) -> None:
    """Writes the sidecar of a review file, or removes it where there is nothing to say."""
    if not problems:
        path.unlink(missing_ok=True)
        return
    names = [field.name for field in fields(Problem)]
    values = [[getattr(one, name) for name in names] for one in problems]
    _write(path, names, [[escape(v) if isinstance(v, str) else str(v) for v in r] for r in values])


def review_files(folder: Path) -> list[Path]:
    """The review CSVs of a folder: no sidecars, and no lock files of office programs."""
    found = (path for path in folder.glob("*.csv") if not path.name.startswith((".", "~")))
    return sorted(path for path in found if not path.name.endswith(ERRORS_SUFFIX))


def read_review(path: Path) -> ReadFile:
    """All rows of a review CSV, however it was saved; what cannot be read is a Problem."""
    text = _decode(path.read_bytes())
    if isinstance(text, _Refused):
        return ReadFile((), (_file_problem(path, text.reason),))
    csv.field_size_limit(_FIELD_LIMIT)
    lines = list(_parse(text))
    header_at = next((index for index, (_, cells) in enumerate(lines) if any(cells)), None)
    if header_at is None:
        return ReadFile((), (_file_problem(path, "the file is empty"),))
    header = [name.strip().lower() for name in lines[header_at][1]]
    if missing := missing_columns(header):
        return ReadFile((), (_file_problem(path, missing),))
    rows, problems = [], []
    for line, cells in lines[header_at + 1 :]:
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) > len(header) and any(cells[len(header) :]):
            problems.append(
                Problem(path.name, line, cells[0], "", "", "more cells than the header has columns")
            )
            continue
        values = dict(zip(header, cells, strict=False))
        known = {name: unescape(values.get(name, "")) for name in COLUMNS}
        rows.append(ReadRow(path.name, line, ReviewRow(**known)))
    return ReadFile(tuple(rows), tuple(problems))


def escape(cell: str) -> str:
    """A leading apostrophe before what a spreadsheet would run or rewrite; reversible."""
    return "'" + cell if _is_taken(cell) else cell


def unescape(cell: str) -> str:
    return cell[1:] if cell[:1] == "'" and _is_taken(cell[1:]) else cell


def _is_taken(cell: str) -> bool:
    return cell[:1] != "" and (cell[0] in _FORMULA or _VALUE.fullmatch(cell) is not None)


def _write(path: Path, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer)
    writer.writerow(header)
    writer.writerows(rows)
    with replaced(path) as temporary:
        temporary.write_bytes(buffer.getvalue().encode("utf-8-sig"))


@dataclass(frozen=True)
class _Refused:
    reason: str


def _decode(data: bytes) -> str | _Refused:
    how = "Save it as 'CSV UTF-8' (Excel) or with character set UTF-8 (LibreOffice)."
    if data.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\x00" in data[:1000]:
        return _Refused(f"the file is UTF-16, not UTF-8. {how}")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        return _Refused(
            f"the file is not UTF-8 (byte {error.start} is {data[error.start]:#04x}, as in Windows "
            f"code pages, which lose most languages' letters). {how} "
            "If letters are lost already, take the exported file again."
        )
    return text.lstrip("\ufeff")


def _parse(text: str) -> Iterator[tuple[int, list[str]]]:
    """Rows with the line each begins on, by the delimiter that the header was written with."""
    first, _, rest = text.partition("\n")
    skipped = 0
    if first.strip().lower().startswith("sep="):
        text, skipped = rest, 1
        first = rest.partition("\n")[0]
    delimiter = max(_DELIMITERS, key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    line = 1
    for cells in reader:
        yield line + skipped, cells
        line = reader.line_num + 1


def missing_columns(header: Sequence[str]) -> str | None:
    missing = [name for name in _REQUIRED if name not in header]
    if not missing:
        return None
    renamed = [name for name in header if name and name not in COLUMNS]
    parts = []
    for name in missing:
        close = nearest(name, renamed)
        parts.append(f"'{name}'" + (f" (renamed to '{close}'?)" if close else ""))
    return f"columns are missing: {', '.join(parts)}. Columns: {' '.join(COLUMNS)}"


def _file_problem(path: Path, problem: str) -> Problem:
    return Problem(path.name, 0, "", "", "", problem)
