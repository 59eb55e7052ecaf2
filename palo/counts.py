"""Counts of more keys than memory should hold."""

import sqlite3
from collections.abc import Iterable
from typing import Self


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
        found = self._db.execute(
            "UPDATE met SET taken = 1 WHERE key = ? AND NOT taken RETURNING n", [key]
        ).fetchone()
        return found[0] if found else 0
