"""Reads pairs of texts (`source`, `target`) from TSV, CSV, JSONL or Parquet, a few at a time.

TSV is taken as it lies: no quoting, a tab parts the columns. Of a TSV file without a header that
has two columns the first is the source. Any of the text formats may be gzipped.
"""

import csv
import gzip
import io
import json
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import starmap
from pathlib import Path
from typing import BinaryIO, cast

from palo.errors import UserError
from palo.shards import read_columns
from refine.filters import TurnPair

COLUMNS = ("source", "target")
STDIN = Path("-")
MAX_LINE_BYTES = 16 << 20  # longer ones are refused, so that memory stays bounded
_HEAD_BYTES = 1 << 16
_SUFFIXES = (".tsv", ".csv", ".jsonl", ".parquet")


@dataclass(frozen=True)
class Unreadable:
    """Stands for a row that is no pair; `reason` says why, `text` is what there is of it."""

    reason: str
    text: str = ""


# The number is the line of a text file, from 1 and its header counted, or a Parquet row.
NumberedRow = tuple[int, TurnPair | Unreadable]


def read_pairs(path: Path) -> Iterator[TurnPair]:
    """The pairs of a file, in order. Raises UserError at the first row that is none."""
    for number, row in read_rows(path):
        if isinstance(row, Unreadable):
            raise UserError(f"{path}, line {number}: {row.reason}. Mend the line.")
        yield row


def read_rows(path: Path) -> Iterator[NumberedRow]:
    """Every row, in order; `-` is standard input. Raises UserError for a file of another kind."""
    if _format(path.name) == ".parquet":
        yield from enumerate(starmap(_pair, read_columns(path, COLUMNS)), start=1)
        return
    with _opened(path) as file:
        suffix = _format(path.name) or (".jsonl" if _head(file).lstrip()[:1] == b"{" else ".tsv")
        if b"\0" in _head(file):
            raise UserError(
                f"{path} is a binary file, or text in UTF-16. It must be text in UTF-8."
            )
        last = 0
        try:
            for last, row in _jsonl(file) if suffix == ".jsonl" else _table(path, file, suffix):
                yield last, row
        except (gzip.BadGzipFile, zlib.error, EOFError) as error:
            yield last + 1, Unreadable(f"the rest of the file is damaged: {error}")


def _format(name: str) -> str:
    """The suffix that says the format, without `.gz`; "" for standard input."""
    if name == STDIN.name:
        return ""
    bare = name.lower().removesuffix(".gz")
    suffix = next((known for known in _SUFFIXES if bare.endswith(known)), None)
    if suffix is None or (suffix == ".parquet" and bare != name.lower()):
        raise UserError(
            f"Unknown format: {name}. Give a .tsv, .csv or .jsonl file (.gz too), or a .parquet."
        )
    return suffix


@contextmanager
def _opened(path: Path) -> Iterator[io.BufferedReader]:
    if path == STDIN:
        file: io.BufferedReader = io.BufferedReader(
            cast(io.RawIOBase, sys.stdin.buffer), _HEAD_BYTES
        )
        yield file
        file.detach()  # or it would close standard input
        return
    try:
        raw: BinaryIO = path.open("rb")
    except FileNotFoundError:
        raise UserError(f"No such file: {path}.") from None
    except OSError as error:
        raise UserError(f"Cannot read {path}: {error.strerror}.") from None
    with raw:
        whole = gzip.GzipFile(fileobj=raw) if path.name.lower().endswith(".gz") else raw
        yield io.BufferedReader(cast(io.RawIOBase, whole), _HEAD_BYTES)


def _head(file: io.BufferedReader) -> bytes:
    """What the file begins with; nothing of it is read away."""
    try:
        return file.peek(_HEAD_BYTES).removeprefix(b"\xef\xbb\xbf")
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise UserError(f"The file is no gzip, or a damaged one: {error}.") from None


def _lines(file: io.BufferedReader) -> Iterator[tuple[int, str | Unreadable]]:
    """Lines by number without their ends; only a line feed ends one, as U+2028 is text."""
    for number, line in enumerate(iter(partial(file.readline, MAX_LINE_BYTES), b""), start=1):
        if len(line) == MAX_LINE_BYTES and not line.endswith(b"\n"):
            while (rest := file.readline(MAX_LINE_BYTES)) and not rest.endswith(b"\n"):
                pass
            yield number, Unreadable(f"longer than {MAX_LINE_BYTES >> 20} MiB")
            continue
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            bad = f"no UTF-8 at byte {error.start + 1} of the line"
            yield number, Unreadable(bad, line.decode("utf-8", "replace").rstrip("\r\n"))
            continue
        yield number, text.removesuffix("\n").removesuffix("\r")


def _tsv(file: io.BufferedReader) -> Iterator[tuple[int, list[str] | Unreadable]]:
    for number, line in _lines(file):
        yield number, line.split("\t") if isinstance(line, str) else line


def _csv(file: io.BufferedReader) -> Iterator[tuple[int, list[str] | Unreadable]]:
    csv.field_size_limit(MAX_LINE_BYTES)
    text = io.TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape", newline="")
    reader = csv.reader(text, strict=False)
    try:
        yield reader.line_num, next(reader, [])
        yield from ((reader.line_num, cells) for cells in reader if cells)
    except csv.Error as error:
        yield reader.line_num + 1, Unreadable(f"the rest of the file is no CSV: {error}")


def _table(path: Path, file: io.BufferedReader, suffix: str) -> Iterator[NumberedRow]:
    """The pairs in rows of cells; a TSV of two columns may lack a header."""
    is_csv = suffix == ".csv"
    places: tuple[int, ...] | None = None
    width = 2
    for number, cells in _csv(file) if is_csv else _tsv(file):
        if isinstance(cells, Unreadable):
            yield number, cells
            continue
        if places is None:
            if is_csv or len(cells) != 2 or {*COLUMNS} & {*cells}:
                if missing := [name for name in COLUMNS if name not in cells]:
                    raise UserError(
                        f"{path} has no column {' and no '.join(missing)}. Its columns: "
                        f"{', '.join(cells)[:200] or 'none'}. Name two of them source and target."
                    )
                places, width = tuple(map(cells.index, COLUMNS)), len(cells)
                continue
            places = (0, 1)
        if len(cells) != width:
            said = f"{len(cells)} columns, not {width}"
            yield number, Unreadable(said, _safe(("," if is_csv else "\t").join(cells)))
        else:
            yield number, _pair(*(cells[place] for place in places))


def _jsonl(file: io.BufferedReader) -> Iterator[NumberedRow]:
    for number, line in _lines(file):
        if isinstance(line, Unreadable):
            yield number, line
        elif line.strip():
            try:
                row = json.loads(line)
            except (ValueError, RecursionError) as error:
                yield number, Unreadable(f"no JSON: {getattr(error, 'msg', error)}", line)
                continue
            if not isinstance(row, dict):
                yield number, Unreadable("no JSON object", line)
            elif missing := [name for name in COLUMNS if name not in row]:
                yield number, Unreadable(f"no {' and no '.join(missing)} in the object", line)
            else:
                yield number, _pair(row["source"], row["target"])


def _pair(source: object, target: object) -> TurnPair | Unreadable:
    for name, text in zip(COLUMNS, (source, target), strict=True):
        if not isinstance(text, str):
            said = "null" if text is None else f"a {type(text).__name__}"
            return Unreadable(f"{name} is no text but {said}")
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:
            return Unreadable(f"{name} holds half of a character (a lone surrogate)", _safe(text))
    assert isinstance(source, str) and isinstance(target, str)
    return TurnPair(source, target)


def _safe(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")
