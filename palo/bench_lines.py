"""Lines of a bench file: read with their place, so that what is wrong can be named."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from palo.errors import UserError

QuestionId = int | str


@dataclass(frozen=True)
class Entry:
    """One line of a file: all of its `fields`, in their order, and the line itself."""

    fields: Mapping[str, Any]
    line: str

    @classmethod
    def of(cls, **fields: Any) -> "Entry":
        return cls(fields, _dump(fields))

    def saying(self, **changed: Any) -> str:
        """The line with these fields: as it was read where none of them says anything new."""
        fields = {**self.fields, **changed}
        return self.line if fields == self.fields else _dump(fields)


@dataclass(frozen=True)
class Place:
    """A line of a file, for what is wrong with it."""

    path: Path
    number: int

    def wrong(self, field: str, what: str) -> UserError:
        return UserError(f"{self.path}, line {self.number}: field '{field}' {what}.")

    def question_id(self, entry: Entry) -> QuestionId:
        value = entry.fields.get("question_id")
        if isinstance(value, bool) or not isinstance(value, int | str) or value == "":
            raise self._not("question_id", value, "a number or a text")
        return value if isinstance(value, int) else self.checked("question_id", value)

    def text(self, entry: Entry, field: str) -> str:
        return self.checked(field, entry.fields.get(field))

    def image(self, entry: Entry) -> str:
        """A path below the images, never out of them."""
        value = self.text(entry, "image")
        path = PurePosixPath(value)
        if path.is_absolute() or ".." in path.parts:
            raise self.wrong("image", f"is {value!r}, a path that leads out of the images")
        return value

    def checked(self, field: str, value: object) -> str:
        if not isinstance(value, str) or not value.strip():
            raise self._not(field, value, "a text")
        if "\0" in value or any("\ud800" <= char <= "\udfff" for char in value):
            raise self.wrong(field, "holds a NUL or half a character (a lone surrogate)")
        return value

    def _not(self, field: str, value: object, wanted: str) -> UserError:
        said = "is missing or null" if value is None else f"is {str(value)[:40]!r}"
        return self.wrong(field, f"{said}: it must be {wanted}")


def entries(path: Path) -> Iterator[tuple[Place, Entry]]:
    """Lines of a file, with or without a byte order mark, however they end; blank ones left out."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (FileNotFoundError, IsADirectoryError):
        raise UserError(f"No {path.name} in {path.parent}: the set is not whole.") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 text: {error}.") from None
    # not splitlines: it would also cut at U+2028, which JSON texts may hold as it is
    for number, line in enumerate(text.split("\n"), start=1):
        line = line.removesuffix("\r")
        if not line.strip():
            continue
        try:
            fields = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise UserError(f"{path}, line {number} is not valid JSON: {error}.") from None
        if not isinstance(fields, dict):
            raise UserError(f"{path}, line {number} must be a JSON object, not {line[:40]!r}.")
        yield Place(path, number), Entry(fields, line)


def _dump(fields: Mapping[str, Any]) -> str:
    text = json.dumps(fields, ensure_ascii=False)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:  # half a character in a field that is only carried along
        return json.dumps(fields)
    return text
