"""Pictures to begin with: those of the held-out questions, which are in ten languages."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from palo.languages import LANGUAGES, Language
from palo.settings import EvaluateSettings

MAX_PICTURES = 6
MAX_QUESTIONS = 4


@dataclass
class Example:
    """`questions` of a language are at most MAX_QUESTIONS, each of another kind."""

    image: Path
    questions: dict[Language, list[str]] = field(default_factory=dict)
    kinds: list[str] = field(default_factory=list)


def load_examples(settings: EvaluateSettings) -> list[Example]:
    """None where there are no held-out questions, or not their pictures."""
    if not settings.questions_path.is_file():
        return []
    with settings.questions_path.open(encoding="utf-8") as file:
        rows = [json.loads(line) for line in file if line.strip()]
    return [one for one in pick(rows, settings.images_dir) if one.image.is_file()]


def pick(rows: Iterable[dict[str, Any]], images_dir: Path) -> list[Example]:
    """The first pictures in the file's order; what only takes seeing is asked first."""
    found: dict[str, Example] = {}
    for row in sorted(rows, key=lambda row: bool(row.get("reasoning"))):
        if row["image"] not in found:
            if len(found) == MAX_PICTURES:
                continue
            found[row["image"]] = Example(images_dir / row["image"])
        example, kind = found[row["image"]], row.get("kind", "")
        if len(example.kinds) == MAX_QUESTIONS or (kind and kind in example.kinds):
            continue
        example.kinds.append(kind)
        for lang, question in row["questions"].items():
            if lang in LANGUAGES:
                example.questions.setdefault(Language(lang), []).append(question)
    return list(found.values())
