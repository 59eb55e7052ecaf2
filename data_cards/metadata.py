"""Metadata of cards held against what the Hub takes, without asking it (its own check goes online).

Lists as of huggingface_hub 2.4 and https://huggingface.co/docs/hub/repositories-licenses.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from palo.languages import LANGUAGES

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
