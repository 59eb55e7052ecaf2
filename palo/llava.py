"""Reads LLaVA lists: JSON lists of samples, item by item, however large the file.

The stream is written out rather than taken from ijson: its C backend turns a lone surrogate into
"?" without a word, and invalid UTF-8 ends the file for it. Here both reach the caller inside the
item they are in (`\\ud800`-like characters), so one bad item costs only itself. And ijson would
hold a value of any size in memory; here an item over MAX_ITEM_CHARS is passed over in pieces.
"""

import codecs
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from palo.errors import UserError
from palo.schemas import Role

MAX_ITEM_CHARS = 16 << 20  # of its JSON; a conversation has thousands
_HEAD_CHARS = 1000
_CHUNK_BYTES = 1 << 20
_SPACE = re.compile(r"[ \t\n\r]*")
_BETWEEN = re.compile(r'[^"{}\[\]]*+')
_IN_STRING = re.compile(r'(?:[^"\\]++|\\.)*+', re.DOTALL)


class BrokenTail(ValueError):
    """The list stops being JSON; the items before it were fine."""


@dataclass(frozen=True)
class Oversized:
    """Stands for an item that was too large to hold: how its JSON begins, and its length."""

    head: str
    num_chars: int

    def member(self, name: str) -> Any:
        """A member of the object that comes whole within the head, or None."""
        decode, at = json.JSONDecoder().raw_decode, 1
        try:
            while True:
                key, at = decode(self.head, _past(self.head, at))
                value, at = decode(self.head, _past(self.head, _past(self.head, at) + 1))
                if key == name:
                    return value
                at = _past(self.head, at) + 1
        except ValueError:
            return None


def stream_list(path: Path) -> Iterator[Any]:
    """Yields the items of the JSON list in `path`, Oversized for those over MAX_ITEM_CHARS.

    Raises UserError where there is no such file or it is no JSON list from its first character,
    BrokenTail (after the last whole item) where it breaks later on.
    """
    try:
        file = path.open("rb")
    except FileNotFoundError:
        raise UserError(f"No such file: {path}.") from None
    except OSError as error:
        raise UserError(f"Cannot read {path}: {error.strerror}.") from None
    with file:
        reader = _Reader(file)
        first = reader.peek()
        if first != "[":
            wrong = {"": "is empty", "{": "holds a JSON object, or one object a line"}
            said = wrong.get(first, f"is not JSON: it starts with {first!r}")
            such = ": [{...}, {...}]" if first == "{" else ""
            raise UserError(f"{path} {said}. It must hold a JSON list of samples{such}.")
        reader.skip(1)
        if reader.peek() == "]":
            return
        mark = ","
        while mark == ",":
            reader.peek()
            yield reader.value()
            if (mark := reader.peek()) not in (",", "]"):
                raise BrokenTail(f"{mark!r} for ','" if mark else "the file ends inside the list")
            reader.skip(1)
        if reader.peek():
            raise BrokenTail("there is more text after the end of the list")


def read_conversations(path: Path) -> Iterator[tuple[Any, str | None, tuple[tuple[str, str], ...]]]:
    """(id as it is, image, turns of role and text) of every item of a LLaVA list, streamed. Raises
    UserError for a file that breaks off or an item of another form."""
    number = 0
    try:
        for item in stream_list(path):
            number += 1
            image = item.get("image")
            turns = tuple((Role(at["from"]).value, at["value"]) for at in item["conversations"])
            for text in (str(item["id"]), image or "", *(text for _, text in turns)):
                text.encode()
            yield item["id"], image, turns
    except BrokenTail as error:
        raise UserError(f"{path} breaks off after sample {number}: {error}.") from None
    except UnicodeEncodeError:
        raise UserError(
            f"Sample {number} of {path} holds half of a surrogate pair, which is no text."
        ) from None
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(f"Sample {number} of {path} has no LLaVA form: {error!r}.") from None


def _past(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


class _Reader:
    """A window on the file's text that grows until the next value fits."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._decode = codecs.getincrementaldecoder("utf-8-sig")("surrogateescape")
        self._json = json.JSONDecoder()
        self._text = ""
        self._at = 0
        self._ended = False

    def _grow(self, size: int = _CHUNK_BYTES) -> None:
        data = self._file.read(size)
        self._ended = not data
        self._text = self._text[self._at :] + self._decode.decode(data, final=self._ended)
        self._at = 0

    def peek(self) -> str:
        """The next character that is not white space, or "" at the end of the file."""
        while True:
            self._at = _past(self._text, self._at)
            if self._at < len(self._text) or self._ended:
                return self._text[self._at : self._at + 1]
            self._grow()

    def skip(self, characters: int) -> None:
        self._at += characters

    def value(self) -> Any:
        size = _CHUNK_BYTES
        while True:
            try:
                item, end = self._json.raw_decode(self._text, self._at)
            except RecursionError:
                raise BrokenTail("an item is nested too deeply") from None
            except ValueError as error:  # also a number of more digits than Python reads
                if self._ended:
                    raise BrokenTail(str(getattr(error, "msg", error))) from None
                if len(self._text) - self._at > MAX_ITEM_CHARS:
                    return self._passed_over(str(getattr(error, "msg", error)))
            else:
                # a number at the edge of the window may go on beyond it
                if end < len(self._text) or self._ended:
                    begin, self._at = self._at, end
                    if end - begin > MAX_ITEM_CHARS:
                        return Oversized(self._text[begin : begin + _HEAD_CHARS], end - begin)
                    return item
            self._grow(size)
            size *= 2  # so that one huge item is not parsed again for every chunk of it

    def _passed_over(self, error: str) -> Oversized:
        """Goes on behind the value, which is not held; BrokenTail where it is not large but bad."""
        begin, head = self._at, self._text[self._at : self._at + _HEAD_CHARS]
        if head[0] not in '"{[':
            raise BrokenTail(error)
        window, num_chars, depth, quoted = self._text, 0, 0, False
        while True:
            match = (_IN_STRING if quoted else _BETWEEN).match(self._text, self._at)
            assert match is not None
            num_chars += match.end() - self._at
            self._at = match.end()
            mark = self._text[self._at : self._at + 1]
            if mark in ("", "\\"):  # an escape may be cut in two by the window's edge
                if self._ended:
                    raise BrokenTail("the file ends inside an item")
                self._grow()
                continue
            self.skip(1)
            num_chars += 1
            if mark == '"':
                quoted = not quoted
            else:
                depth += 1 if mark in "{[" else -1
            if depth == 0 and not quoted:
                break
        if self._text is window and self._at - begin <= MAX_ITEM_CHARS:
            raise BrokenTail(error)
        return Oversized(head, num_chars)
