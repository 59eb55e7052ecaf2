"""Turns into segments and back: what the model sees of a turn, and what it must never touch.

`<image>` tags and white space around a text are taken off and put back byte for byte; protected
spans inside it become placeholders (`<x1>`) that models keep, and are put back byte for byte.

With a segment goes what its translation needs of the turns before it: "Two." has a gender that only
its question tells, and "What colour is it?" one that only the answer before tells. What depends on
nothing before it has no context, so it is shared between samples.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import regex

from palo.checks.structure import protected_spans
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
# all that str.strip() takes off, which is a little more than \s
_AROUND = rf"(?:[\s\x1c-\x1f]|{IMAGE_TAG})*"
_LEADING = regex.compile(_AROUND)
# from the end backwards: a search would try every run of spaces in the text, and each again
_TRAILING = regex.compile(_AROUND, regex.REVERSE)
PLACEHOLDER = regex.compile(r"<x\d+>")
_LETTER = regex.compile(r"\p{L}")
_OK = regex.compile(r"\W*(?:OK|ok|Ok)\W*")  # the same in all ten languages


@dataclass(frozen=True)
class Before:
    """`english` is what the memory keeps; `shown` replaces it in the prompt where there is more to
    show: in a dialogue, the translations so far."""

    english: str
    shown: str = ""


NOTHING = Before("")


@dataclass(frozen=True)
class Segment:
    """`text` and `before` are what the model sees; `prefix`, `suffix` and `spans` are not."""

    text: str
    before: Before
    prefix: str
    suffix: str
    spans: tuple[str, ...]

    @property
    def copied(self) -> bool:
        """Whether nothing is left to translate: numbers, marks, URLs, code, "OK"."""
        bare = PLACEHOLDER.sub("", self.text) if self.spans else self.text
        return _LETTER.search(bare) is None or _OK.fullmatch(bare) is not None

    @property
    def placeholders(self) -> tuple[str, ...]:
        return tuple(f"<x{number}>" for number in range(1, len(self.spans) + 1))

    def restore(self, text: str) -> str:
        """The target turn for the model's `text`; unknown placeholders stay as they are."""
        if self.spans:
            originals = dict(zip(self.placeholders, self.spans, strict=True))
            text = PLACEHOLDER.sub(lambda match: originals.get(match.group(), match.group()), text)
        return self.prefix + text.strip() + self.suffix

    def reframe(self, text: str) -> str:
        """A person's text for this turn, with the image tags that it may have left out."""
        if IMAGE_TAG in self.prefix + self.suffix and IMAGE_TAG not in text:
            return self.prefix + text.strip() + self.suffix
        return text

    def mask(self, target: str) -> str | None:
        """A known translation as the model should have written it, for training. None where the
        target does not hold the protected spans exactly as often as the source."""
        body = target.removeprefix(self.prefix).removesuffix(self.suffix).strip()
        spans = list(protected_spans(body))
        if sorted(span.text for span in spans) != sorted(self.spans):
            return None
        free = list(zip(self.spans, self.placeholders, strict=True))
        parts, at = [], 0
        for span in spans:
            held = next(pair for pair in free if pair[0] == span.text)
            free.remove(held)
            parts += [body[at : span.start], held[1]]
            at = span.end
        return "".join([*parts, body[at:]])


def segment(
    turns: Sequence[Turn], index: int, context: Context, said: Sequence[str | None] = ()
) -> Segment:
    """The segment of turn `index`; `said` are the translations of the turns before it, None where
    there is none worth showing. Only a dialogue takes them into account."""
    return cut(turns[index].text, _before(turns, index, context, said))


def cut(text: str, before: Before = NOTHING) -> Segment:
    leading = _LEADING.match(text)
    assert leading is not None
    prefix, rest = text[: leading.end()], text[leading.end() :]
    trailing = _TRAILING.match(rest)
    assert trailing is not None
    body, suffix = rest[: trailing.start()], rest[trailing.start() :]
    parts, spans, at = [], [], 0
    for span in protected_spans(body):
        spans.append(span.text)
        parts += [body[at : span.start], f"<x{len(spans)}>"]
        at = span.end
    return Segment("".join([*parts, body[at:]]), before, prefix, suffix, tuple(spans))


def _before(
    turns: Sequence[Turn], index: int, context: Context, said: Sequence[str | None]
) -> Before:
    """What the prompt of turn `index` shows of the turns before it."""
    if context is Context.NONE:
        return NOTHING
    start = index
    while start > 0 and (context is Context.DIALOGUE or _depends(turns[start])):
        start -= 1
    if start == index:
        return NOTHING
    window: list[tuple[Role, str]] = []
    left = MAX_CONTEXT_CHARS
    for turn in reversed(turns[start:index]):  # whole; of one that is too long alone, its end
        text = _plain(turn.text)
        if len(text) > left and window:
            break
        window.insert(0, (turn.role, text[-left:]))
        left -= len(text)
    lines = [f"{_SPEAKERS[role]}: {text}" for role, text in window]
    english = "\n".join(lines)
    if context is Context.SOURCE:
        return Before(english if len(window) > 1 else window[0][1])
    shown = []
    for line, translation in zip(lines, said[index - len(window) : index], strict=True):
        shown.append(line)
        if translation:
            shown.append(f"Translation: {_plain(translation)}")
    return Before(english, "\n".join(shown))


def _depends(turn: Turn) -> bool:
    if turn.role is Role.GPT or len(turn.text.split()) <= _FEW_WORDS:
        return True
    return _STANDS_FOR_OTHERS.search(turn.text) is not None


def _plain(text: str) -> str:
    return text.replace(IMAGE_TAG, "").strip()
