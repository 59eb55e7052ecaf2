"""The exact translations: a table from (English context, English text) to nine languages."""

import json
from collections.abc import Iterator
from pathlib import Path

from palo.languages import ENGLISH
from sceneworld.grammar import SPOKEN, say_turn
from sceneworld.messages import Message

IMAGE_TAG = "<image>"
BENCH_TRUTH = "bench_truth.jsonl"

Truth = dict[tuple[str, str], dict[str, str]]


def without_image(text: str) -> str:
    """The text without `<image>` and the line break that binds the tag to it."""
    if text.startswith(IMAGE_TAG + "\n"):
        return text.removeprefix(IMAGE_TAG + "\n")
    if text.endswith("\n" + IMAGE_TAG):
        return text.removesuffix("\n" + IMAGE_TAG)
    return text


def with_image_as_in(text: str, english: str) -> str:
    """Put the tag where the English turn has it."""
    if english.startswith(IMAGE_TAG + "\n"):
        return f"{IMAGE_TAG}\n{text}"
    if english.endswith("\n" + IMAGE_TAG):
        return f"{text}\n{IMAGE_TAG}"
    return text


def add_turn(truth: Truth, context: str, messages: tuple[Message, ...]) -> None:
    """Add a turn in all languages; `context` is the English question that it answers, or ''."""
    english = say_turn(messages, "en")
    row = {str(lang): say_turn(messages, lang) for lang in SPOKEN if lang is not ENGLISH}
    known = truth.setdefault((context, english), row)
    assert known == row, f"two translations of {english!r} after {context!r}: {known} {row}"


def rows(truth: Truth) -> Iterator[dict[str, str]]:
    """The rows of truth.jsonl and corpus.jsonl."""
    for (context, english), translations in truth.items():
        yield {"context": context, "en": english, **translations}


def load_truth(path: Path) -> Truth:
    """Read truth.jsonl (or corpus.jsonl)."""
    truth: Truth = {}
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            truth[row.pop("context"), row.pop("en")] = row
    return truth
