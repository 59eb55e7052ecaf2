"""Turns into segments and back: what the model sees of a turn, and what it must never touch.

`<image>` tags and white space around a text are taken off and put back byte for byte; protected
spans inside it become placeholders (`<x1>`) that models keep, and are put back byte for byte.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import regex

from palo.checks.placeholders import protected_spans
from palo.schemas import IMAGE_TAG, Turn
from palo.settings import Context
from translate.context import NOTHING, Before, before

# all that str.strip() takes off, which is a little more than \s
_AROUND = rf"(?:[\s\x1c-\x1f]|{IMAGE_TAG})*"
_LEADING = regex.compile(_AROUND)
# from the end backwards: a search would try every run of spaces in the text, and each again
_TRAILING = regex.compile(_AROUND, regex.REVERSE)
PLACEHOLDER = regex.compile(r"<x\d+>")
_LETTER = regex.compile(r"\p{L}")
_OK = regex.compile(r"\W*(?:OK|ok|Ok)\W*")  # the same in all ten languages


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
        return tuple(placeholder(number) for number in range(1, len(self.spans) + 1))

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


def placeholder(number: int) -> str:
    return f"<x{number}>"


def segment(
    turns: Sequence[Turn], index: int, context: Context, said: Sequence[str | None] = ()
) -> Segment:
    """The segment of turn `index`; `said` as in `context.before`."""
    return cut(turns[index].text, before(turns, index, context, said))


def cut(text: str, seen: Before = NOTHING) -> Segment:
    leading = _LEADING.match(text)
    assert leading is not None
    prefix, rest = text[: leading.end()], text[leading.end() :]
    trailing = _TRAILING.match(rest)
    assert trailing is not None
    body, suffix = rest[: trailing.start()], rest[trailing.start() :]
    parts, spans, at = [], [], 0
    for span in protected_spans(body):
        spans.append(span.text)
        parts += [body[at : span.start], placeholder(len(spans))]
        at = span.end
    return Segment("".join([*parts, body[at:]]), seen, prefix, suffix, tuple(spans))


def mask(segment: Segment, target: str) -> str | None:
    """A known translation as the model should have written it, for training.

    None where the target does not hold the protected spans exactly as often as the source.
    """
    body = target.removeprefix(segment.prefix).removesuffix(segment.suffix).strip()
    spans = list(protected_spans(body))
    if sorted(span.text for span in spans) != sorted(segment.spans):
        return None
    free = dict(enumerate(segment.spans, start=1))
    parts, at = [], 0
    for span in spans:
        number = next(key for key, text in free.items() if text == span.text)
        del free[number]
        parts += [body[at : span.start], placeholder(number)]
        at = span.end
    return "".join([*parts, body[at:]])
