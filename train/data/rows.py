"""Where the conversations of the mixture come from: refined shards, source shards, LLaVA lists."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from palo.languages import ENGLISH, LANGUAGES, TARGETS
from palo.llava import read_conversations
from palo.paths import DataPaths
from palo.settings import RefineSettings
from palo.shards import read_columns, shard_paths, training_conversations

CODES = {lang: code for code, lang in enumerate(LANGUAGES)}


class Row(NamedTuple):
    """One conversation on its way into the cache."""

    sample_id: str
    lang: int
    image: str | None
    roles: str
    texts: list[str]


@dataclass(frozen=True)
class English:
    """Where the English half comes from: SOURCE shards, or a larger LLaVA list instead."""

    mix_path: Path | None
    mix_images_dir: Path | None


def mixture_rows(paths: DataPaths, english: English, policy: RefineSettings) -> Iterator[Row]:
    """Every conversation that may be trained on, English first, a batch in memory at a time."""
    if english.mix_path is not None:
        yield from llava_rows(english.mix_path)
    else:
        for path in shard_paths(paths.source_dir):
            for sample_id, image, turns in read_columns(path, ("sample_id", "image", "turns")):
                yield _row(sample_id, ENGLISH, image, turns)
    for lang in TARGETS:
        for count, _, (sample_id, image, turns) in training_conversations(
            paths.refined(lang), policy, ("sample_id", "image", "target")
        ):
            if count:
                yield _row(sample_id, lang, image, turns[:count])


def _row(sample_id: str, lang: str, image: str | None, turns: list[dict[str, str]]) -> Row:
    roles = "".join([turn["role"][0] for turn in turns])
    return Row(sample_id, CODES[lang], image or None, roles, [turn["text"] for turn in turns])


def llava_rows(path: Path) -> Iterator[Row]:
    """Rows of a LLaVA list. Raises UserError where it is none."""
    for item_id, image, turns in read_conversations(path):
        roles = "".join([role[0] for role, _ in turns])
        yield Row(str(item_id), 0, image or None, roles, [text for _, text in turns])
