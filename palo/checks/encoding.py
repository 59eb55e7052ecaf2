"""Finds text that went through the wrong encoding: Ã©, Ø§Ù„, \ufffd, ????, &#1575;."""

import re

import regex

# What Windows-1252 and Latin-1 make of the bytes of UTF-8: two characters or more in a row.
_RUN = re.compile("[\u0080-\u00ff€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ]{2,}")
# French writes é\u00a0», whose bytes happen to be those of a Han character.
_FRENCH_SPACED = regex.compile("\u00a0»|«\u00a0")
_PLAUSIBLE = regex.compile(
    r"[\p{Latin}\p{Cyrillic}\p{Arabic}\p{Devanagari}\p{Bengali}\p{Han}\p{Hiragana}\p{Katakana}"
    r"‘’“”…–—•。、！？।۔؟«»°]"
)
_QUESTION_MARKS = regex.compile(r"(?<![?？])\?{3,}|\w\?\w[\w?]*\?\w|(?:\?{2,} ){2,}")
_ENTITY = regex.compile(r"&(?:#\d{2,6}|#x[0-9a-fA-F]{2,5}|amp|quot|nbsp|lt|gt|apos);")
REPLACEMENT = "\ufffd"


def mojibake(text: str) -> str | None:
    """The first stretch that is UTF-8 read as Windows-1252 or Latin-1, or None.

    A stretch counts only where its bytes decode to letters or marks of our languages: French
    `à\\u00a0«` decodes as well, but to nothing that anybody writes.
    """
    if text.isascii() or _RUN.search(text) is None:
        return None
    for match in _RUN.finditer(_FRENCH_SPACED.sub(" ", text)):
        meant = _undone(match.group())
        if meant is not None and _PLAUSIBLE.search(meant):
            return match.group()
    return None


def lost_letters(source: str, target: str) -> str | None:
    """A stretch of question marks that stand for letters, or None."""
    if "??" not in target and "\ufffd" not in target and not _asks_inside(target):
        return None
    found = _QUESTION_MARKS.search(target)
    if found is None or _QUESTION_MARKS.search(source):
        return None
    return found.group().strip()


def entity(source: str, target: str) -> str | None:
    """The first HTML entity that the source does not have, or None."""
    if "&" not in target or (found := _ENTITY.search(target)) is None:
        return None
    return None if found.group() in source else found.group()


def _asks_inside(text: str) -> bool:
    return text.count("?") > 1


def _undone(text: str) -> str | None:
    """The run in its true encoding; cut bytes at either end are allowed."""
    data = b"".join(_byte(char) for char in text)
    for start in range(min(3, len(data) - 1)):
        for end in range(len(data), max(start + 1, len(data) - 3), -1):
            try:
                return data[start:end].decode("utf-8")
            except UnicodeDecodeError:
                continue
    return None


def _byte(char: str) -> bytes:
    try:
        return char.encode("cp1252")
    except UnicodeEncodeError:  # the five bytes that Windows-1252 leaves open
        return char.encode("latin-1")
