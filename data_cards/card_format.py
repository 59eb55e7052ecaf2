"""What a card may hold: Markdown that no text can break, metadata that the Hub takes.

The Hub is not asked (its own check goes online). Lists as of huggingface_hub 2.4 and
https://huggingface.co/docs/hub/repositories-licenses.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from importlib.resources.abc import Traversable
from itertools import accumulate, chain
from typing import TYPE_CHECKING, Any

import yaml

from palo import __version__
from palo.console import wilson
from palo.languages import LANGUAGES

if TYPE_CHECKING:
    from huggingface_hub import CardData, RepoCard

NOT_MEASURED = "not measured"
_LINE_BREAK = re.compile("\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")
# Plain in a cell wherever they stand; every other ASCII mark is written as its number, which
# Markdown and HTML show as the mark and never read as one.
_PLAIN = frozenset(" .,?!;:'()%/-")
_BAR_CHARS = 40


def cell(text: str, max_chars: int = 0) -> str:
    """A text as a table's cell shows it: one line, markup and invisible controls made harmless."""
    if max_chars and len(text) > max_chars:
        text = text[: max_chars - 1] + "…"
    shown = "<br>".join("".join(map(_shown, line)) for line in _LINE_BREAK.split(text))
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
    return "\n".join(f"| {' | '.join(line)} |" for line in (headings, rule, *rows))


def decimal(value: float | None, form: str = ".1f") -> str:
    return NOT_MEASURED if value is None else f"{value:{form}}"


number, share = partial(decimal, form=","), partial(decimal, form=".1%")


def band(value: Any) -> str:
    """A threshold: one number, or the two edges of a band."""
    edges = value if isinstance(value, list) else [value]
    return "–".join(decimal(edge, "g") for edge in edges)


def interval(low: float, high: float) -> str:
    return f"{100 * low:.1f}–{100 * high:.1f}%"


def quantile(steps: Mapping[str, int], part: float) -> str | None:
    """Of a histogram by the lower edges of its steps: the edge of the step that holds the part."""
    edges = sorted(steps, key=float)
    sums = zip(edges, accumulate(steps[edge] for edge in edges), strict=True)
    least = max(1, part * sum(steps.values()))
    return next((edge for edge, met in sums if met >= least), None)


def bars(counts: Sequence[tuple[str, int]]) -> str:
    """A histogram for a block of code; a bar of one mark or more for every count but 0."""
    most = max((count for _, count in counts), default=0)
    wide = max((len(name) for name, _ in counts), default=0)
    return "\n".join(
        f"{name:>{wide}} {'█' * -(-_BAR_CHARS * count // most) if most else ''} {count:,}"
        for name, count in counts
    )


# What the templates of cards write values with.
_WRITERS: dict[str, Any] = {
    "band": band,
    "cell": cell,
    "code": code,
    "decimal": decimal,
    "interval": interval,
    "number": number,
    "quantile": quantile,
    "share": share,
    "wilson": wilson,
}

_LICENSES = """
    apache-2.0 mit bsd-2-clause bsd-3-clause cc0-1.0 cc-by-4.0 cc-by-sa-4.0 cc-by-nc-4.0
    cc-by-nc-sa-4.0 cc-by-nd-4.0 cc-by-nc-nd-4.0 odc-by odbl openrail gpl-3.0 lgpl-3.0 agpl-3.0
    mpl-2.0 llama2 llama3 llama3.1 llama3.2 llama3.3 llama4 gemma unknown other
"""
_TASKS = frozenset(("visual-question-answering", "image-text-to-text", "translation"))
# of up to three digits, of four, of five and so on
_SIZES = ["n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M", "1M<n<10M", "10M<n<100M", "100M<n<1B"]
_KNOWN = {
    "language": frozenset(map(str, LANGUAGES)),
    "license": frozenset(_LICENSES.split()),
    "task_categories": _TASKS,
    "pipeline_tag": _TASKS,
    "size_categories": _SIZES,
    "library_name": ("transformers",),
}
_REPO = re.compile(r"[\w.-]+/[\w.-]+")
_CONFIG = re.compile(r"[\w.-]+")
_SPLIT = re.compile(r"\w+(\.\w+)*")


def size_category(rows: int) -> str:
    """The Hub's name for so many rows."""
    return _SIZES[min(max(len(str(rows)), 3), 9) - 3]


def filled(card: "type[RepoCard]", data: "CardData", template: Traversable, **values: Any) -> str:
    """The card as Markdown with a YAML head, from its template."""
    wrong = problems(yaml.safe_load(data.to_yaml()))
    assert not wrong, f"metadata: {wrong}"
    values |= _WRITERS
    text = template.read_text(encoding="utf-8")
    return str(card.from_template(data, template_str=text, version=__version__, **values))


def problems(data: Mapping[str, Any]) -> list[str]:
    """What the Hub would refuse or show wrongly; `data` is a card's metadata as a mapping."""

    def values(key: str, within: Mapping[str, Any] = data) -> list[Any]:
        value = within.get(key)
        return value if isinstance(value, list) else [] if value is None else [value]

    told = [
        f"{key} {value!r} is unknown"
        for key, known in _KNOWN.items()
        for value in values(key)
        if value not in known
    ]
    is_other = data.get("license") == "other"
    if "license" not in data:
        told.append("license is missing")
    elif any(bool(data.get(key)) != is_other for key in ("license_name", "license_link")):
        told.append("license_name and license_link go with 'other'")
    named = [*values("base_model"), *values("datasets")]
    told += [f"{name!r} is no repository's id" for name in named if not _REPO.fullmatch(str(name))]
    configs = [config.get("config_name", "") for config in values("configs")]
    told += [f"config {name!r} is no name" for name in configs if not _CONFIG.fullmatch(name)]
    if len({*configs}) < len(configs):
        told.append("a config is there twice")
    for config in values("configs"):
        for files in values("data_files", config):
            path = str(files.get("path", ""))
            if not _SPLIT.fullmatch(files.get("split", "")) or not path or path.startswith("/"):
                told.append(f"data_files {files!r} need a split and a path of the repository")
    for result in chain.from_iterable(model["results"] for model in values("model-index")):
        for metric in result["metrics"]:
            if type(metric.get("value")) not in (int, float):
                told.append(f"the result {metric!r} is no number")
    return told
