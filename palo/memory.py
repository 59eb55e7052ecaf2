"""The translation memory: the one truth of translation, and the one module that opens it.

Two SQLite files a language. `<lang>.sqlite` holds what engines wrote, keyed by everything that
decides the text. `<lang>.verified.sqlite` holds what people accepted or wrote, keyed by the
source turn and its English context, so that a change of model or prompt never touches it.
"""

import hashlib
import os
import sqlite3
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass, fields
from functools import cache
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple, Self

from palo.errors import MissingResource, UserError
from palo.files import disk_full, network_file_system, replaced
from palo.paths import DataPaths
from palo.schemas import IMAGE_TAG, Role, Turn, TurnStatus

Row = tuple[Any, ...]

_ELSEWHERE = (
    "Set memory_dir of the profile in pipelines.yaml (or PALO_MEMORY_DIR) to a folder on a local "
    "disk; the rest of data_dir may stay where it is."
)
_NOWHERE = Path(":memory:")  # SQLite's name for a database without a file
# Keys fall anywhere in their index, so a batch touches a page an entry: pages are written back
# seldom (every 16,000) and together. The cache (8,000 KiB) is small, so that memory stays flat.
_TUNING = "PRAGMA synchronous=NORMAL; PRAGMA wal_autocheckpoint=16000; PRAGMA cache_size=-8000;"
_STATUSES = {status.value: status for status in TurnStatus}  # an enum's own look-up is slow
_KEYS_PER_QUERY = 500  # below SQLite's limit on variables of old builds (999)


@dataclass(frozen=True)
class Entry:
    """What an engine made of one segment; `key` is `machine_key(...)`, 16 bytes."""

    key: bytes
    source: str
    context: str
    text: str
    status: TurnStatus
    finish_reason: str
    mean_logprob: float | None
    attempts: int
    engine: str
    signature: str
    prompt_version: str
    problem: str
    created: str


_entry_values = attrgetter(*(field.name for field in fields(Entry)))  # astuple copies: 10 x slower


@dataclass(frozen=True)
class VerifiedEntry:
    """What a person accepted or wrote for one turn (`sample_id`, `turn`) of the source.
    `all_copies`: the reviewer let it stand for every turn with the same text and context."""

    source: str
    context: str
    text: str
    sample_id: str
    turn: int
    all_copies: bool
    reviewer: str
    batch: str
    created: str


def english_context(turns: Sequence[Turn], index: int) -> str:
    """The English question before an answer, without its image tag; "" for a human turn."""
    if turns[index].role is Role.HUMAN or index == 0:
        return ""
    return turns[index - 1].text.replace(IMAGE_TAG, "").strip()


def segment_key(text: str, context: str) -> bytes:
    return _hashed(text, context)


def machine_key(
    signature: str, prompt_version: str, lang: str, text: str, context: str, *more: str
) -> bytes:
    """Everything that decides an engine's text; 16 bytes. `more` is what else the prompt shows."""
    return _hashed(signature, prompt_version, lang, text, context, *more)


def _hashed(*texts: str) -> bytes:
    """Each with its length, so that ("ab", "c") differs from ("a", "bc")."""
    state = hashlib.blake2b(digest_size=16)
    for text in texts:
        data = text.encode("utf-8")
        state.update(len(data).to_bytes(8, "little") + data)
    return state.digest()


def damaged(path: Path, why: str) -> UserError:
    lang = path.name.partition(".")[0]
    return UserError(
        f"The translation memory {path} is damaged ({why}). It was left as it is. Save what "
        f"can be read with `palo memory salvage --lang {lang}`, or restore a copy, and run the "
        "command again."
    )


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """SQLite's errors come out as sentences."""
    try:
        yield
    except sqlite3.Error as error:
        text = str(error)
        if "full" in text:
            raise disk_full(path) from error
        if any(word in text for word in ("malformed", "not a database", "decode to UTF-8")):
            raise damaged(path, text) from error
        if "locked" in text:
            what = f"The translation memory {path} is in use by another process."
            raise UserError(what) from error
        raise UserError(f"The translation memory {path} failed: {text}.") from error


@cache
def _check_place(folder: Path) -> None:
    """Warns of a network's file system, once a folder; in an array of jobs, which are on several
    machines at once, raises MissingResource. SQLite itself says `wal` on NFS and thinks no more."""
    if (kind := network_file_system(folder)) is None:
        return
    problem = (
        f"The translation memories in {folder} lie on a file system of type {kind}, which other "
        "machines may have open too: SQLite's log is for one machine, and two of them damage it."
    )
    if "SLURM_ARRAY_JOB_ID" in os.environ:
        raise MissingResource(f"{problem} {_ELSEWHERE}")
    print(f"WARNING: {problem} {_ELSEWHERE}", file=sys.stderr)


def _check_head(path: Path) -> None:
    """SQLite removes a log without a database before it: the entries in it would be lost."""
    log = path.with_name(f"{path.name}-wal")
    if log.is_file() and log.stat().st_size and not (path.is_file() and path.stat().st_size):
        raise UserError(
            f"The translation memory {path} is empty or gone, but its log {log} is not. Restore "
            "the memory, or move the log away, and run the command again."
        )


def _marks(number: int) -> str:
    return ",".join("?" * number)


class _Database:
    """A SQLite file with one writer."""

    _schema: str

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        _check_head(path)
        if path != _NOWHERE:
            _check_place(path.parent)
        with _explained(path):
            self._connection = sqlite3.connect(path, timeout=30, isolation_level=None)
            mode = self._connection.execute("PRAGMA journal_mode=WAL").fetchone()[0]
            self._connection.executescript(_TUNING + self._schema)
        if mode != ("memory" if path == _NOWHERE else "wal"):
            raise MissingResource(
                f"{path} lies on a file system where SQLite cannot keep a write-ahead log "
                f"(journal mode '{mode}'). {_ELSEWHERE}"
            )

    @classmethod
    def existing(cls, path: Path) -> Self:
        """The memory there, or an empty one that is nowhere: a look makes no file."""
        _check_head(path)
        return cls(path if path.is_file() and path.stat().st_size else _NOWHERE)

    def _write(self, statement: str, rows: Iterable[tuple[object, ...]]) -> None:
        with _explained(self.path), self._connection:  # which commits, or rolls back
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.executemany(statement, rows)

    def _read(self, statement: str, values: Sequence[object] = ()) -> list[Row]:
        with _explained(self.path):
            return self._connection.execute(statement, values).fetchall()

    def count(self) -> int:
        return int(self._read("SELECT count(*) FROM entries")[0][0])

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *unused: object) -> None:
        self.close()


class TranslationMemory(_Database):
    """What engines wrote. A key is written once; writing it again changes nothing."""

    # a rowid table with an index beside it: WITHOUT ROWID writes 2.5 times slower at 1.5M rows
    _schema = """
        CREATE TABLE IF NOT EXISTS entries (
            key BLOB NOT NULL UNIQUE, source TEXT NOT NULL, context TEXT NOT NULL,
            text TEXT NOT NULL, status TEXT NOT NULL, finish_reason TEXT NOT NULL,
            mean_logprob REAL, attempts INTEGER NOT NULL, engine TEXT NOT NULL,
            signature TEXT NOT NULL, prompt_version TEXT NOT NULL, problem TEXT NOT NULL,
            created TEXT NOT NULL
        );
    """

    def get(self, keys: Sequence[bytes]) -> dict[bytes, Entry]:
        """The entries there are, by key; a missing key is missing from the answer."""
        return {row[0]: self._entry(row) for row in self._of_keys("*", keys)}

    def has(self, keys: Sequence[bytes]) -> set[bytes]:
        return {row[0] for row in self._of_keys("key", keys)}

    def _of_keys(self, columns: str, keys: Sequence[bytes]) -> Iterator[Row]:
        for start in range(0, len(keys), _KEYS_PER_QUERY):
            part = keys[start : start + _KEYS_PER_QUERY]
            where = f"key IN ({_marks(len(part))})"
            yield from self._read(f"SELECT {columns} FROM entries WHERE {where}", part)

    @staticmethod
    def _entry(row: Row) -> Entry:
        return Entry(*row[:4], _STATUSES[row[4]], *row[5:])  # type: ignore[call-arg]

    def put(self, entries: Sequence[Entry]) -> None:
        """Commits all of them or none."""
        self._write(
            # unlike INSERT OR IGNORE this drops nothing but a key that is there
            f"INSERT INTO entries VALUES ({_marks(13)}) ON CONFLICT (key) DO NOTHING",
            (_entry_values(entry) for entry in entries),
        )

    def entries(self) -> Iterator[Entry]:
        """All of them, in the order they came; not held in memory at once."""
        with _explained(self.path):
            for row in self._connection.execute("SELECT * FROM entries ORDER BY rowid"):
                yield self._entry(row)

    def of_source(self, text: str) -> list[Entry]:
        """Every entry of an English segment, whatever its context, translator or prompt."""
        rows = self._read("SELECT * FROM entries WHERE source = ? ORDER BY rowid", (text,))
        return [self._entry(row) for row in rows]

    def forget(self, signature: str, problem: str) -> int:
        """Drops this translator's failures whose problem begins so, to be asked again; how many."""
        where = "signature = ? AND status = ? AND substr(problem, 1, length(?)) = ?"
        values = (signature, str(TurnStatus.FAILED), problem, problem)
        [(number,)] = self._read(f"SELECT count(*) FROM entries WHERE {where}", values)
        if number:
            self._write(f"DELETE FROM entries WHERE {where}", [values])
        return int(number)

    def problems(self) -> Counter[str]:
        """Why entries failed, without the details behind a colon."""
        counts: Counter[str] = Counter()
        for problem, number in self.counts("problem").items():
            if problem:
                counts[problem.partition(":")[0]] += number
        return counts

    def counts(self, column: str) -> Counter[str]:
        """How many entries have each value of a column."""
        return Counter(dict(self._read(f"SELECT {column}, count(*) FROM entries GROUP BY 1")))


class VerifiedMemory(_Database):
    """What people accepted or wrote; the newest word on a turn replaces the older."""

    _schema = """
        CREATE TABLE IF NOT EXISTS entries (
            segment BLOB NOT NULL, source TEXT NOT NULL, context TEXT NOT NULL,
            text TEXT NOT NULL, sample_id TEXT NOT NULL, turn INTEGER NOT NULL,
            all_copies INTEGER NOT NULL, reviewer TEXT NOT NULL, batch TEXT NOT NULL,
            created TEXT NOT NULL, PRIMARY KEY (segment, sample_id, turn)
        );
    """

    def put(self, entries: Sequence[VerifiedEntry]) -> None:
        self._write(
            f"INSERT OR REPLACE INTO entries VALUES ({_marks(10)})",
            ((segment_key(entry.source, entry.context), *astuple(entry)) for entry in entries),
        )

    def find(self, sample_id: str, turn: int, text: str, context: str) -> VerifiedEntry | None:
        """The word on this very turn, else one that stands for all copies of its segment.

        Of several that stand for all copies the newest counts; equal times fall to the turn's id.
        """
        rows = self._read(
            "SELECT * FROM entries WHERE segment = ? AND "
            "(all_copies = 1 OR (sample_id = ? AND turn = ?)) "
            "ORDER BY (sample_id = ? AND turn = ?) DESC, created DESC, sample_id, turn LIMIT 1",
            (segment_key(text, context), sample_id, turn, sample_id, turn),
        )
        return self._entry(rows[0]) if rows else None

    def of_sample(self, sample_id: str, turns: Sequence[Turn]) -> dict[int, VerifiedEntry]:
        """The word on each source turn of a sample that has one, by the turn's number."""
        if not self._read("SELECT 1 FROM entries LIMIT 1"):
            return {}
        words = (
            (at, self.find(sample_id, at, turn.text, english_context(turns, at)))
            for at, turn in enumerate(turns)
        )
        return {at: word for at, word in words if word}

    def entries(self) -> list[VerifiedEntry]:
        """All of them, in an order that does not depend on when they came."""
        rows = self._read("SELECT * FROM entries ORDER BY segment, sample_id, turn")
        return [self._entry(row) for row in rows]

    def of_source(self, text: str) -> list[VerifiedEntry]:
        """Every word on a turn with this text, its image tag aside."""
        tagged = (text, f"{IMAGE_TAG}\n{text}", f"{text}\n{IMAGE_TAG}")
        rows = self._read("SELECT * FROM entries WHERE source IN (?, ?, ?) ORDER BY rowid", tagged)
        return [self._entry(row) for row in rows]

    @staticmethod
    def _entry(row: Row) -> VerifiedEntry:
        return VerifiedEntry(*row[1:6], bool(row[6]), *row[7:])  # type: ignore[call-arg]


class _ReadOnly(_Database):
    """A memory in whatever state it is, opened so that no byte of it or its log changes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        _check_head(path)
        address = f"{path.absolute().as_uri()}?mode=ro"
        self._connection = sqlite3.connect(address, timeout=30, uri=True)


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


def check_memory(path: Path) -> None:
    """Looks at every page and changes none. Raises UserError where a memory is damaged."""
    if path.is_file() and path.stat().st_size:
        with _ReadOnly(path) as memory:
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
    with _ReadOnly(path) as memory:
        if not _fault(memory) and not any(missed for _, missed in _readable(memory)):
            return None
        try:
            memory._read("PRAGMA writable_schema = ON")  # else a cut-off file is not read at all
            memory._read("SELECT * FROM entries LIMIT 0")
        except UserError as error:
            raise UserError(
                f"{path} can't be salvaged ({error.__cause__}): restore a copy."
            ) from None
        lost = 0
        with replaced(fresh) as unfinished, kind(unfinished) as whole:
            [(columns,)] = whole._read("SELECT count(*) FROM pragma_table_info('entries')")
            # not a row that lacks what it must have
            take = f"INSERT OR IGNORE INTO entries VALUES ({_marks(columns)})"
            for rows, missed in _readable(memory):
                whole._write(take, rows)
                lost += missed
            saved = whole.count()
    return Salvaged(fresh, saved, lost)


def _fault(memory: _ReadOnly) -> str:
    """What is wrong with its pages, in SQLite's words; "" for nothing."""
    try:
        [(said,)] = memory._read("PRAGMA quick_check(1)")
    except UserError as error:
        if "locked" in str(error.__cause__):
            raise
        return str(error.__cause__)
    return "" if said == "ok" else " ".join(str(said).split())


def _readable(memory: _ReadOnly) -> Iterator[tuple[list[Row], int]]:
    """All rows, in parts, and how many can't be read; parts that fail are halved to single rows."""
    last = _last_row(memory)
    for start in range(1, last + 1, _PART_ROWS):
        parts = [(start, start + _PART_ROWS - 1)]
        while parts:
            first, end = parts.pop()
            try:
                yield memory._read(_BETWEEN, (first, end)), 0
            except UserError:
                if first == end:
                    yield [], 1
                else:
                    middle = (first + end) // 2
                    parts += [(middle + 1, end), (first, middle)]


def _last_row(memory: _ReadOnly) -> int:
    """No row has a higher number. Numbers grow with each replaced row, the file does not."""
    last = memory.path.stat().st_size // _LEAST_ROW_BYTES
    for how in ("NOT INDEXED", "INDEXED BY sqlite_autoindex_entries_1"):
        try:
            [(highest,)] = memory._read(f"SELECT max(rowid) FROM entries {how}")
        except UserError:
            continue
        return min(max(last, highest or 0), _MOST_ROWS)
    return last


class Memories(NamedTuple):
    """What is known in one language: by machines, and by people."""

    machine: TranslationMemory
    verified: VerifiedMemory


@contextmanager
def open_memories(paths: DataPaths, lang: str, look: bool = False) -> Iterator[Memories]:
    """Both of a language; a `look` makes no file."""
    first, second = paths.memory(lang), paths.verified(lang)
    with (
        TranslationMemory.existing(first) if look else TranslationMemory(first) as machine,
        VerifiedMemory.existing(second) if look else VerifiedMemory(second) as verified,
    ):
        yield Memories(machine, verified)


class TemporaryCounts:
    """How often each key was met, in a file that is gone when it is closed; a context manager."""

    def __enter__(self) -> Self:
        self._db = sqlite3.connect("")
        self._db.execute("CREATE TABLE met (key TEXT PRIMARY KEY, n INT, taken INT) WITHOUT ROWID")
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    def add(self, keys: Iterable[tuple[str, bool]]) -> None:
        """Keys as they are met, each with whether someone has claimed it already."""
        self._db.executemany(
            "INSERT INTO met VALUES (?, 1, ?) "
            "ON CONFLICT (key) DO UPDATE SET n = n + 1, taken = max(taken, excluded.taken)",
            keys,
        )

    def claim(self, key: str) -> int:
        """How often the key was met, for the first who asks; 0 for everyone after."""
        claimed = "UPDATE met SET taken = 1 WHERE key = ? AND NOT taken RETURNING n"
        return next((n for (n,) in self._db.execute(claimed, [key])), 0)
