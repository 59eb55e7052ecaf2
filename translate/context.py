"""What a segment's translation needs of the turns before it.

"Two." has a gender that only its question tells, and "What colour is it?" one that only the answer
before tells. What depends on nothing before it has no context, so it is shared between samples.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import regex

from palo.schemas import IMAGE_TAG, Role, Turn
from palo.settings import Context

# Enough to tell gender and number; what stands nearest counts most.
MAX_CONTEXT_CHARS = 2000
# Words whose form in other languages depends on what they stand for. "this image" stands for
# itself, and questions of LLaVA-Instruct are full of it.
_STANDS_FOR_OTHERS = regex.compile(
    r"\b(?:it|its|itself|they|them|their|theirs|themselves|he|him|his|himself|she|her|hers|herself"
    r"|ones|another|both|neither|so|such)\b"
    r"|\b(?:the|this|that|which|other)\s+(?:\w+\s+)?one\b"
    r"|\b(?:this|that|these|those)\b(?!\s+(?:image|picture|photo|photograph|snapshot|scene)s?\b)",
    regex.IGNORECASE,
)
_FEW_WORDS = 2  # "Why?", "How so?"
_SPEAKERS = {Role.HUMAN: "User", Role.GPT: "Assistant"}


@dataclass(frozen=True)
class Before:
    """`english` is what the memory keeps; `shown` replaces it in the prompt where there is more to
    show: in a dialogue, the translations so far."""

    english: str
    shown: str = ""


NOTHING = Before("")


def before(
    turns: Sequence[Turn], index: int, context: Context, said: Sequence[str | None] = ()
) -> Before:
    """What the prompt of turn `index` shows of the turns before it.

    `said` are the translations of those turns, None where there is none worth showing; only a
    dialogue takes them into account.
    """
    if context is Context.NONE:
        return NOTHING
    start = index
    while start > 0 and (context is Context.DIALOGUE or _depends(turns[start])):
        start -= 1
    if start == index:
        return NOTHING
    if start == index - 1 and context is Context.SOURCE:
        return Before(_plain(turns[start].text)[-MAX_CONTEXT_CHARS:])
    window = _nearest(turns[start:index])
    english = "\n".join(_line(role, text) for role, text in window)
    if context is Context.SOURCE:
        return Before(english if len(window) > 1 else window[0][1])
    translations = list(said[index - len(window) : index])
    lines = []
    for (role, text), translation in zip(window, translations, strict=True):
        lines.append(_line(role, text))
        if translation:
            lines.append(f"Translation: {_plain(translation)}")
    return Before(english, "\n".join(lines))


def _depends(turn: Turn) -> bool:
    if turn.role is Role.GPT or len(turn.text.split()) <= _FEW_WORDS:
        return True
    return _STANDS_FOR_OTHERS.search(turn.text) is not None


def _nearest(turns: Sequence[Turn]) -> list[tuple[Role, str]]:
    """The last turns that fit, whole; of a turn that does not fit alone, its end."""
    found: list[tuple[Role, str]] = []
    left = MAX_CONTEXT_CHARS
    for turn in reversed(turns):
        text = _plain(turn.text)
        if len(text) > left and found:
            break
        found.append((turn.role, text[-left:]))
        left -= len(text)
    return found[::-1]


def _line(role: Role, text: str) -> str:
    return f"{_SPEAKERS[role]}: {text}"


def _plain(text: str) -> str:
    return text.replace(IMAGE_TAG, "").strip()
