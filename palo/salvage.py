"""Finds out whether a translation memory is damaged, and saves what can be read of one that is."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from palo.errors import UserError
from palo.memory import ReadOnly, Row, TranslationMemory, VerifiedMemory, damaged
from palo.shards import replaced

_PART_ROWS = 4096
_LEAST_ROW_BYTES = 40  # no entry is smaller: bounds the row numbers of a file
_MOST_ROWS = 2**32  # a row number above comes from a damaged page
_BETWEEN = "SELECT * FROM entries NOT INDEXED WHERE rowid BETWEEN ? AND ?"


@dataclass(frozen=True)
class Salvaged:
    """What was saved into `path`; `lost` row numbers lie in pages that can't be read."""

    path: Path
    rows: int
    lost: int


def check(path: Path) -> None:
    """Looks at every page and changes none. Raises UserError where a memory is damaged."""
    if path.is_file() and path.stat().st_size:
        with ReadOnly(path) as memory:
            if fault := _fault(memory):
                raise damaged(path, fault)


def salvage(path: Path) -> Salvaged | None:
    """Copies every readable row of a damaged memory into `<name>.salvaged.sqlite` beside it.

    None for a memory that is whole. Raises UserError where its table can't be found at all, or
    where a salvaged file lies there already.
    """
    fresh = path.with_name(f"{path.stem}.salvaged.sqlite")
    if fresh.exists():
        raise UserError(f"{fresh} is there already: move it away first.")
    kind = VerifiedMemory if path.name.endswith(".verified.sqlite") else TranslationMemory
    with ReadOnly(path) as memory:
        if _is_whole(memory):
            return None
        try:
            memory.query("PRAGMA writable_schema = ON")  # else a cut-off file is not read at all
            memory.query("SELECT * FROM entries LIMIT 0")
        except UserError as error:
            raise UserError(
                f"{path} can't be salvaged ({error.__cause__}): restore a copy."
            ) from None
        lost = 0
        with replaced(fresh) as unfinished, kind(unfinished) as whole:
            for rows, missed in _readable(memory):
                whole.take_rows(rows)
                lost += missed
            saved = whole.count()
    return Salvaged(fresh, saved, lost)


def _is_whole(memory: ReadOnly) -> bool:
    return not _fault(memory) and not any(missed for _, missed in _readable(memory))


def _fault(memory: ReadOnly) -> str:
    """What is wrong with its pages, in SQLite's words; "" for nothing."""
    try:
        [(said,)] = memory.query("PRAGMA quick_check(1)")
    except UserError as error:
        if "locked" in str(error.__cause__):
            raise
        return str(error.__cause__)
    return "" if said == "ok" else " ".join(str(said).split())


def _readable(memory: ReadOnly) -> Iterator[tuple[list[Row], int]]:
    """All rows, in parts, and how many of a part can't be read.

    A part that fails is halved until one row fails alone.
    """
    last = _last_row(memory)
    for start in range(1, last + 1, _PART_ROWS):
        parts = [(start, start + _PART_ROWS - 1)]
        while parts:
            first, end = parts.pop()
            try:
                yield memory.query(_BETWEEN, (first, end)), 0
            except UserError:
                if first == end:
                    yield [], 1
                else:
                    middle = (first + end) // 2
                    parts += [(middle + 1, end), (first, middle)]


def _last_row(memory: ReadOnly) -> int:
    """No row has a higher number. Numbers grow with each replaced row, the file does not."""
    last = memory.path.stat().st_size // _LEAST_ROW_BYTES
    for how in ("NOT INDEXED", "INDEXED BY sqlite_autoindex_entries_1"):
        try:
            [(found,)] = memory.query(f"SELECT max(rowid) FROM entries {how}")
        except UserError:
            continue
        return min(max(last, found or 0), _MOST_ROWS)
    return last
