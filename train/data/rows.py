"""Where the conversations of the mixture come from: refined shards, source shards, LLaVA lists."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from palo.errors import UserError
from palo.languages import ENGLISH, LANGUAGES, TARGETS
from palo.llava import BrokenTail, stream_list
from palo.paths import DataPaths
from palo.schemas import Role
from palo.settings import RefineSettings
from palo.shards import read_columns, shard_paths

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
    columns = ("sample_id", "image", "target", "turn_verdicts", "kept")
    for lang in TARGETS:
        for path in shard_paths(paths.refined(lang)):
            for sample_id, image, turns, verdicts, kept in read_columns(path, columns):
                # a shard may have been refined under another policy
                if kept and (count := policy.kept_turns(verdicts)):
                    yield _row(sample_id, lang, image, turns[:count])


def _row(sample_id: str, lang: str, image: str | None, turns: list[dict[str, str]]) -> Row:
    roles = "".join([turn["role"][0] for turn in turns])
    return Row(sample_id, CODES[lang], image or None, roles, [turn["text"] for turn in turns])


def llava_rows(path: Path) -> Iterator[Row]:
    """Rows of a LLaVA list (a JSON list of id, image, conversations), streamed.

    Raises UserError for a file that breaks off or a sample of another form.
    """
    number = 0
    try:
        for item in stream_list(path):
            number += 1
            yield _llava_row(item)
    except BrokenTail as error:
        raise UserError(f"{path} breaks off after sample {number}: {error}.") from None
    except UnicodeEncodeError:
        raise UserError(
            f"Sample {number} of {path} holds half of a surrogate pair, which is no text."
        ) from None
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(f"Sample {number} of {path} has no LLaVA form: {error!r}.") from None


def _llava_row(item: Any) -> Row:
    turns, image = item["conversations"], item.get("image")
    roles = "".join([Role(turn["from"]).value[0] for turn in turns])
    row = Row(str(item["id"]), 0, image or None, roles, [turn["value"] for turn in turns])
    for text in (row.sample_id, image or "", *row.texts):
        text.encode()
    return row
