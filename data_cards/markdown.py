"""Markdown that no text can break: cells, tables, bars, numbers."""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence

NOT_MEASURED = "not measured"
_LINE_BREAKS = ("\r\n", *"\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029")
# Plain in a cell wherever they stand; every other ASCII mark is written as its number, which
# Markdown and HTML show as the mark and never read as one.
_PLAIN = frozenset(" .,?!;:'()%/-")
_BAR_CHARS = 40


def cell(text: str, max_chars: int = 0) -> str:
    """A text as a table's cell shows it: one line, markup and invisible controls made harmless."""
    if max_chars and len(text) > max_chars:
        text = text[: max_chars - 1] + "…"
    for mark in _LINE_BREAKS:
        text = text.replace(mark, "\n")
    shown = "<br>".join("".join(map(_shown, line)) for line in text.split("\n"))
    return shown.replace("://", "&#58;//")  # no link of someone else's


def code(name: str) -> str:
    """A name of the software's own as code; as a cell where it is no plain name."""
    return f"`{name}`" if re.fullmatch(r"[\w.-]+", name, re.ASCII) else cell(name)


def _shown(char: str) -> str:
    if char.isascii():
        if char.isalnum() or char in _PLAIN:
            return char
        return f"&#{ord(char)};" if char.isprintable() else f"\\u{ord(char):04x}"
    # joiners belong to words in Urdu, Hindi and Bengali; overrides would turn the page around
    if unicodedata.category(char) in ("Cf", "Cc") and char not in "\u200c\u200d":
        return f"&#92;u{ord(char):04x}"
    return char


def table(headings: Sequence[str], rows: Iterable[Sequence[str]], align: str = "") -> str:
    """A table of finished cells; `align` has l or r for each column (the first l, the others r)."""
    align = align or "l" + "r" * (len(headings) - 1)
    rule = ["---:" if side == "r" else "---" for side in align]
    lines = [headings, rule, *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def number(value: int | None) -> str:
    return NOT_MEASURED if value is None else f"{value:,}"


def share(value: float | None) -> str:
    return NOT_MEASURED if value is None else f"{100 * value:.1f}%"


def interval(low: float, high: float) -> str:
    return f"{100 * low:.1f}–{100 * high:.1f}%"


def quantile(steps: Mapping[str, int], part: float) -> str | None:
    """Of a histogram by the lower edges of its steps: the edge of the step that holds the part."""
    total, met = sum(steps.values()), 0
    for edge in sorted(steps, key=float):
        met += steps[edge]
        if met >= part * total and met:
            return edge
    return None


def bars(counts: Sequence[tuple[str, int]]) -> str:
    """A histogram for a block of code; a bar of one mark or more for every count but 0."""
    most = max((count for _, count in counts), default=0)
    wide = max((len(name) for name, _ in counts), default=0)
    return "\n".join(
        f"{name:>{wide}} {'█' * -(-_BAR_CHARS * count // most) if most else ''} {count:,}"
        for name, count in counts
    )
