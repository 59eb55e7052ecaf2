"""Finds characters that nobody sees: zero-width spaces, bidi overrides, control characters."""

import re
import unicodedata
from collections import Counter

# Joiners (U+200C, U+200D) shape Persian, Urdu and Indic letters and emoji, and the plain marks
# of direction (U+200E, U+200F) are common in good Arabic: neither is suspicious.
_HIDDEN = re.compile(
    "[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u0084\u0086-\u009f\u00ad"
    "\u200b\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]"
)


def hidden_characters(source: str, target: str) -> Counter[str]:
    """The target's invisible characters that the source has none, or fewer, of."""
    if target.isascii() and target.isprintable():
        return Counter()
    found = _HIDDEN.findall(target)
    return Counter(found) - Counter(_HIDDEN.findall(source)) if found else Counter()


def code_point(char: str) -> str:
    """`U+200B ZERO WIDTH SPACE`; a control character has no name."""
    return f"U+{ord(char):04X} {unicodedata.name(char, '')}".rstrip()
