"""Finds protected spans: what a translation must carry over byte for byte.

`<image>` and other tags, URLs, e-mail addresses, code, LaTeX, boxes such as
`[0.25, 0.00, 0.50, 0.25]`, template placeholders such as `{name}`, and emoji.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import regex


class SpanKind(StrEnum):
    CODE = "code"
    LATEX = "latex"
    IMAGE = "image"
    TAG = "tag"
    URL = "url"
    EMAIL = "email"
    BOX = "box"
    PLACEHOLDER = "placeholder"
    EMOJI = "emoji"


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
    SpanKind.IMAGE: r"<image>",
    SpanKind.TAG: r"</?[A-Za-z][A-Za-z0-9_-]*(?:\s[^<>]*)?/?>|<\|[^<>|\n]+\|>",
    SpanKind.URL: r"(?<![A-Za-z0-9])(?:https?://|ftp://|www\.)[A-Za-z0-9._~:/?#@!$&'()*+,;=%-]+",
    SpanKind.EMAIL: r"(?<![A-Za-z0-9._%+-])[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+",
    SpanKind.BOX: rf"\[\s*{_NUMBER}(?:\s*,\s*{_NUMBER})+\s*\]",
    # families joined by U+200D; flags of two letters; keys such as 1\uFE0F\u20E3
    SpanKind.EMOJI: rf"{_PICTURE}(?:\u200D{_PICTURE})*|\p{{RI}}{{2}}|[0-9#*]\uFE0F?\u20E3",
    SpanKind.PLACEHOLDER: r"\{\{[A-Za-z0-9_.]*\}\}|\{[A-Za-z0-9_.]*\}|%\([A-Za-z0-9_]+\)[sdf]",
}
_ANY = regex.compile(
    "|".join(f"(?P<{kind.value}>{pattern})" for kind, pattern in _PATTERNS.items()),
    regex.DOTALL,
)
# No span is without one of these: most texts are done after this one look.
_HINT = regex.compile(r"[`$\\<@\[{%\p{Extended_Pictographic}\p{RI}\u20E3]|://|www\.")
# The same and more, many times faster: a text without any of these has no hint either.
_ROUGH_HINT = re.compile(
    r"[`$\\<@\[{%\xa9\xae\u203c-\u2bff\u3030\u303d\u3297\u3299\U0001f000-\U0001ffff]"
)
_URL_TAIL = ".,;:!?'*"


def protected_spans(text: str) -> list[Span]:
    """All protected spans in order; they never overlap. Texts without any give an empty list."""
    if not _hinted(text):
        return []
    spans = []
    for match in _ANY.finditer(text):
        assert match.lastgroup is not None
        kind = SpanKind(match.lastgroup)
        found = _without_tail(match.group()) if kind is SpanKind.URL else match.group()
        spans.append(Span(match.start(), match.start() + len(found), found, kind))
    return spans


def _hinted(text: str) -> bool:
    if _ROUGH_HINT.search(text) is None and "://" not in text and "www." not in text:
        return False
    return text.isascii() or _HINT.search(text) is not None


def without_protected(text: str, fill: str = " ") -> str:
    """The text with every protected span replaced by `fill`: what is left is language."""
    return without_spans(text, protected_spans(text), fill)


def without_spans(text: str, spans: Sequence[Span], fill: str = " ") -> str:
    """As `without_protected`, for a text whose spans are known."""
    parts, at = [], 0
    for span in spans:
        parts += [text[at : span.start], fill]
        at = span.end
    return "".join([*parts, text[at:]]) if parts else text


def span_difference(source: str, target: str) -> SpanDifference:
    """Compares the two as multisets; order is the translator's business."""
    return spans_difference(protected_spans(source), protected_spans(target))


def spans_difference(source: Sequence[Span], target: Sequence[Span]) -> SpanDifference:
    wanted = Counter(span.text for span in source)
    found = Counter(span.text for span in target)
    return SpanDifference(tuple((wanted - found).elements()), tuple((found - wanted).elements()))


def _without_tail(url: str) -> str:
    """A sentence's own punctuation is no part of the URL; a bracket it opened itself is."""
    while url:
        if url[-1] in _URL_TAIL or (url[-1] == ")" and url.count(")") > url.count("(")):
            url = url[:-1]
        else:
            break
    return url
