"""What was answered and judged, a line of JSON each, found again by a digest of what decided it.

A row is on the disk before the next is asked for: a run that is killed loses none and asks none
again. Nothing is found by its place or by a file's name, so nothing can be taken for another's.
"""

import json
import os
from pathlib import Path
from typing import Any, Self

from palo.errors import UserError

Row = dict[str, Any]


class Store:
    """One file of rows by key, in the order they came; one process writes it at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._rows: dict[str, list[Row]] = {}
        path.parent.mkdir(parents=True, exist_ok=True)
        _cut_torn_line(path)
        self._file = path.open("a", encoding="ascii")
        self._read()

    def rows(self, key: str) -> list[Row]:
        """All that is stored under the key, the oldest first."""
        return self._rows.get(key, [])

    def add(self, key: str, row: Row) -> None:
        # ASCII: a server's reply may hold half a character, which no other form can
        self._file.write(json.dumps({"key": key, **row}) + "\n")
        self._file.flush()
        os.fsync(self._file.fileno())
        self._rows.setdefault(key, []).append(row)

    def _read(self) -> None:
        with self.path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                try:
                    row = dict(json.loads(line))
                    self._rows.setdefault(row.pop("key"), []).append(row)
                except (ValueError, KeyError, TypeError):
                    raise UserError(
                        f"{self.path}, line {number} is damaged: remove that line and run the "
                        "same command again, which asks for it once more."
                    ) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *unused: object) -> None:
        self._file.close()


def _cut_torn_line(path: Path) -> None:
    """A process killed while it wrote, or a full disk, leaves the beginning of a line."""
    if not path.is_file():
        return
    with path.open("r+b") as file:
        content = file.read()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            file.truncate(whole)
