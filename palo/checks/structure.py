"""What a translation must carry over byte for byte: protected spans, and `<image>` in its place.

Protected spans are `<image>` and other tags, URLs, e-mail addresses, code, LaTeX, boxes such as
`[0.25, 0.00, 0.50, 0.25]`, template placeholders such as `{name}`, and emoji.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import regex

from palo.schemas import IMAGE_TAG

SpanKind = StrEnum("SpanKind", "CODE LATEX IMAGE TAG URL EMAIL BOX PLACEHOLDER EMOJI")


@dataclass(frozen=True)
class Span:
    """`text` is the original's `[start:end]`, in characters."""

    start: int
    end: int
    text: str
    kind: SpanKind


@dataclass(frozen=True)
class SpanDifference:
    """Protected spans that the target lost, and ones it made up; each in order of first sight."""

    missing: tuple[str, ...]
    extra: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.missing or self.extra)


# One picture and what changes it: a skin, a presentation, the tags of a flag (UTS #51, 1.4.9).
_PICTURE = r"\p{Extended_Pictographic}(?:\p{EMod}|\uFE0F)?[\U000E0020-\U000E007F]*"
_NUMBER = r"[-+]?[0-9]+(?:\.[0-9]+)?"

# The order decides who wins: code may hold anything, so it comes first. Only ASCII belongs to a
# URL, because Chinese and Japanese put no space behind it. Money ("$5 and $10") is no LaTeX:
# between dollars there must be something that only a formula has.
_PATTERNS = {
    SpanKind.CODE: r"```.*?```|``[^`\n]+``|`[^`\n]+`",
    SpanKind.LATEX: (
        r"\$\$[^$]+\$\$|\\\(.+?\\\)|\\\[.+?\\\]"
        r"|\$(?=[^$\n]*[\\^_={}])[^$\s](?:[^$\n]*[^$\s])?\$(?![0-9])"
    ),
    SpanKind.IMAGE: IMAGE_TAG,
    SpanKind.TAG: r"</?[A-Za-z][A-Za-z0-9_-]*(?:\s[^<>]*)?/?>|<\|[^<>|\n]+\|>",
    SpanKind.URL: r"(?<![A-Za-z0-9])(?:https?://|ftp://|www\.)[A-Za-z0-9._~:/?#@!$&'()*+,;=%-]+",
    SpanKind.EMAIL: r"(?<![A-Za-z0-9._%+-])[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+",
    SpanKind.BOX: rf"\[\s*{_NUMBER}(?:\s*,\s*{_NUMBER})+\s*\]",
    # families joined by U+200D; flags of two letters; keys such as 1\uFE0F\u20E3
    SpanKind.EMOJI: rf"{_PICTURE}(?:\u200D{_PICTURE})*|\p{{RI}}{{2}}|[0-9#*]\uFE0F?\u20E3",
    SpanKind.PLACEHOLDER: r"\{\{[A-Za-z0-9_.]*\}\}|\{[A-Za-z0-9_.]*\}|%\([A-Za-z0-9_]+\)[sdf]",
}
_ANY = regex.compile(
    "|".join(f"(?P<{kind.value}>{pattern})" for kind, pattern in _PATTERNS.items()), regex.DOTALL
)
# No span is without one of these: most texts are done after this one look.
_HINT = regex.compile(r"[`$\\<@\[{%\p{Extended_Pictographic}\p{RI}\u20E3]|://|www\.")
# The same and more, many times faster: a text without any of these has no hint either.
_ROUGH_HINT = re.compile(
    r"[`$\\<@\[{%\xa9\xae\u203c-\u2bff\u3030\u303d\u3297\u3299\U0001f000-\U0001ffff]"
)
_URL_TAIL = ".,;:!?'*"
_LEADING = re.compile(rf"(?:\s*{IMAGE_TAG})+\s*")
_TRAILING = re.compile(rf"\s*(?:{IMAGE_TAG}\s*)+$")


def protected_spans(text: str) -> list[Span]:
    """All protected spans in order; they never overlap. Texts without any give an empty list."""
    if _ROUGH_HINT.search(text) is None and "://" not in text and "www." not in text:
        return []
    if not text.isascii() and _HINT.search(text) is None:
        return []
    spans = []
    for match in _ANY.finditer(text):
        assert match.lastgroup is not None
        kind, span = SpanKind(match.lastgroup), match.group()
        if kind is SpanKind.URL:  # the sentence's own marks, and its bracket, are no part of it
            while span[-1] in _URL_TAIL or (span[-1] == ")" and span.count(")") > span.count("(")):
                span = span[:-1]
        spans.append(Span(match.start(), match.start() + len(span), span, kind))
    return spans


def without_protected(text: str, spans: Sequence[Span] | None = None) -> str:
    """The text with a space for every protected span (`spans`, if known): the rest is language."""
    parts, at = [], 0
    for span in protected_spans(text) if spans is None else spans:
        parts += [text[at : span.start], " "]
        at = span.end
    return "".join([*parts, text[at:]]) if parts else text


def span_difference(source: str | Sequence[Span], target: str | Sequence[Span]) -> SpanDifference:
    """Compares two texts, or their spans, as multisets; order is the translator's business."""
    wanted, given = (
        Counter(span.text for span in (protected_spans(side) if isinstance(side, str) else side))
        for side in (source, target)
    )
    return SpanDifference(tuple((wanted - given).elements()), tuple((given - wanted).elements()))


def image_frame(text: str) -> tuple[str, str]:
    """The image tags with their white space at the start and at the end; "" for none."""
    if IMAGE_TAG not in text:
        return "", ""
    leading = _LEADING.match(text)
    prefix = leading.group() if leading else ""
    trailing = _TRAILING.search(text, len(prefix))
    return prefix, trailing.group() if trailing else ""


def without_frame(text: str) -> str:
    """The text between the tags: what a reviewer reads."""
    prefix, suffix = image_frame(text)
    return text[len(prefix) : len(text) - len(suffix)]


def reframed(source: str, text: str) -> str:
    """A person's text with the source's image tags, which they may have left out."""
    prefix, suffix = image_frame(source)
    return prefix + without_frame(text) + suffix if prefix or suffix else text


def image_tags_moved(source: str, target: str) -> bool:
    """Whether a tag was lost, added, or stands elsewhere than in the source."""
    same_number = source.count(IMAGE_TAG) == target.count(IMAGE_TAG)
    return not same_number or image_frame(source) != image_frame(target)
