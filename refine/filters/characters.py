"""Characters damaged by a wrong encoding (Ã©, \\ufffd, ????, &#1575;), and invisible ones."""

import re
import unicodedata
from collections import Counter

import regex

from palo.schemas import Verdict
from refine.filters import Said, Thresholds, TurnPair, quoted, rule

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
_REPLACEMENT = "\ufffd"
# Joiners (U+200C, U+200D) shape Persian, Urdu and Indic letters and emoji, and the plain marks
# of direction (U+200E, U+200F) are common in good Arabic: neither is suspicious.
_HIDDEN = re.compile(
    "[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u0084\u0086-\u009f\u00ad"
    "\u200b\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]"
)


@rule("damaged letters: mojibake, replacement characters, HTML entities")
def encoding(pair: TurnPair, lang: str, usual: Thresholds) -> Said | None:
    if pair.target.count(_REPLACEMENT) > pair.source.count(_REPLACEMENT):
        return Said(Verdict.REJECT, "letters are lost (U+FFFD)")
    if damaged := mojibake(pair.target):
        if damaged in pair.source:
            return None
        said = f"UTF-8 read in another encoding: {quoted(damaged)}"
        return Said(Verdict.REJECT, said)
    if marks := lost_letters(pair.source, pair.target):
        said = f"question marks in place of letters: {quoted(marks)}"
        return Said(Verdict.REVIEW, said)
    written = _ENTITY.search(pair.target) if "&" in pair.target else None
    if written and written.group() not in pair.source:
        return Said(Verdict.REVIEW, f"HTML entity {quoted(written.group())}")
    return None


def mojibake(text: str) -> str | None:
    """The first stretch that is UTF-8 read as Windows-1252 or Latin-1, or None.

    A stretch counts only where its bytes decode to letters or marks of our languages: French
    `à\\u00a0«` decodes as well, but to nothing that anybody writes.
    """
    if text.isascii() or _RUN.search(text) is None:
        return None
    for run in _RUN.findall(_FRENCH_SPACED.sub(" ", text)):
        meant = _undone(run)
        if meant is not None and _PLAUSIBLE.search(meant):
            return str(run)
    return None


def _undone(text: str) -> str | None:
    """The run in its true encoding; cut bytes at either end are allowed."""
    # the five bytes that Windows-1252 leaves open are those of Latin-1
    data = b"".join(char.encode("cp1252", "ignore") or char.encode("latin-1") for char in text)
    for start in range(min(3, len(data) - 1)):
        for end in range(len(data), max(start + 1, len(data) - 3), -1):
            try:
                return data[start:end].decode("utf-8")
            except UnicodeDecodeError:
                continue
    return None


def lost_letters(source: str, target: str) -> str | None:
    """A stretch of question marks that stand for letters, or None."""
    if "??" not in target and _REPLACEMENT not in target and target.count("?") < 2:
        return None
    marks = _QUESTION_MARKS.search(target)
    return marks.group().strip() if marks and not _QUESTION_MARKS.search(source) else None


@rule("invisible characters, such as zero-width spaces and bidi overrides")
def invisible(pair: TurnPair, lang: str, usual: Thresholds) -> Said | None:
    if pair.target.isascii() and pair.target.isprintable():
        return None
    hidden = Counter(_HIDDEN.findall(pair.target))
    if hidden:
        hidden -= Counter(_HIDDEN.findall(pair.source))
    if not hidden:
        return None
    # a control character has no name
    named = [f"U+{ord(char):04X} {unicodedata.name(char, '')}" for char in sorted(hidden)]
    said = f"invisible characters: {', '.join(map(str.rstrip, named))}"
    return Said(Verdict.REVIEW, said, float(hidden.total()))
