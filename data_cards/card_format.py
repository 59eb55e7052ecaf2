"""What a card may hold: Markdown that no text can break, metadata that the Hub takes.

The Hub is not asked (its own check goes online). Lists as of huggingface_hub 2.4 and
https://huggingface.co/docs/hub/repositories-licenses.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from palo.console import wilson
from palo.languages import LANGUAGES

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


def decimal(value: float | None, form: str = ".1f") -> str:
    return NOT_MEASURED if value is None else f"{value:{form}}"


def band(value: Any) -> str:
    """A threshold: one number, or the two edges of a band."""
    edges = value if isinstance(value, list) else [value]
    return "–".join(decimal(edge, "g") for edge in edges)


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


# What the templates of cards write values with.
WRITERS: dict[str, Any] = {
    "cell": cell,
    "code": code,
    "number": number,
    "decimal": decimal,
    "band": band,
    "share": share,
    "interval": interval,
    "wilson": wilson,
    "quantile": quantile,
}

_LICENSES = """
    apache-2.0 mit bsd-2-clause bsd-3-clause cc0-1.0 cc-by-4.0 cc-by-sa-4.0 cc-by-nc-4.0
    cc-by-nc-sa-4.0 cc-by-nd-4.0 cc-by-nc-nd-4.0 odc-by odbl openrail gpl-3.0 lgpl-3.0 agpl-3.0
    mpl-2.0 llama2 llama3 llama3.1 llama3.2 llama3.3 llama4 gemma unknown other
"""
LICENSES = frozenset(_LICENSES.split())
TASKS = frozenset(("visual-question-answering", "image-text-to-text", "translation"))
_SIZES = (1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000)
_SIZE_NAMES = ("n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M", "1M<n<10M", "10M<n<100M")
_REPO = re.compile(r"[\w.-]+/[\w.-]+")
_CONFIG = re.compile(r"[\w.-]+")
_SPLIT = re.compile(r"\w+(\.\w+)*")


def size_category(rows: int) -> str:
    """The Hub's name for so many rows."""
    named = zip(_SIZES, _SIZE_NAMES, strict=True)
    return next((name for limit, name in named if rows < limit), "100M<n<1B")


def problems(data: Mapping[str, Any]) -> list[str]:
    """What the Hub would refuse or show wrongly; `data` is a card's metadata as a mapping."""
    return [
        *_outside("language", data, LANGUAGES),
        *_outside("license", data, LICENSES),
        *_outside("task_categories", data, TASKS),
        *_outside("pipeline_tag", data, TASKS),
        *_outside("size_categories", data, (*_SIZE_NAMES, "100M<n<1B")),
        *_outside("library_name", data, ("transformers",)),
        *_license(data),
        *_repositories(data),
        *_configs(data),
        *_results(data),
    ]


def _each(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _outside(key: str, data: Mapping[str, Any], allowed: Iterable[str]) -> list[str]:
    known = {*map(str, allowed)}
    return [f"{key} {one!r} is unknown" for one in _each(data.get(key)) if one not in known]


def _license(data: Mapping[str, Any]) -> list[str]:
    if "license" not in data:
        return ["license is missing"]
    told = bool(data.get("license_name")), bool(data.get("license_link"))
    other = data["license"] == "other"
    return [] if told == (other, other) else ["license_name and license_link go with 'other'"]


def _repositories(data: Mapping[str, Any]) -> list[str]:
    named = [*_each(data.get("base_model")), *_each(data.get("datasets"))]
    return [f"{one!r} is no repository's id" for one in named if not _REPO.fullmatch(str(one))]


def _configs(data: Mapping[str, Any]) -> list[str]:
    wrong, names = [], [one.get("config_name", "") for one in _each(data.get("configs"))]
    wrong += [f"config {name!r} is no name" for name in names if not _CONFIG.fullmatch(name)]
    if len({*names}) < len(names):
        wrong.append("a config is there twice")
    for one in _each(data.get("configs")):
        for files in _each(one.get("data_files")):
            path = str(files.get("path", ""))
            if not _SPLIT.fullmatch(files.get("split", "")) or not path or path.startswith("/"):
                wrong.append(f"data_files {files!r} need a split and a path of the repository")
    return wrong


def _results(data: Mapping[str, Any]) -> list[str]:
    metrics = [
        metric
        for model in _each(data.get("model-index"))
        for result in model["results"]
        for metric in result["metrics"]
    ]
    return [
        f"the result {one!r} is no number"
        for one in metrics
        if isinstance(one.get("value"), bool) or not isinstance(one.get("value"), int | float)
    ]
