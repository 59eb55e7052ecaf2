"""Exports what training takes: LLaVA's JSON, Parquet, or a folder that is ready for the Hub.

palo export --format llava-json --lang ur
palo export --format hub --lang all
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from itertools import groupby, islice
from operator import itemgetter
from pathlib import Path
from typing import Any

import pyarrow as pa

from data_cards.licences import dataset_chain, licence_notes
from data_cards.release import Release, conversations
from palo.console import Tick, progress
from palo.errors import MissingResource, UserError
from palo.files import replaced_folder, write_json
from palo.languages import Language
from palo.settings import Profile
from palo.shards import shard_paths, write_rows

MARK = ".palo-export.json"  # in every folder that palo wrote: it may be written again


@contextmanager
def whole_folder(folder: Path, told: dict[str, str]) -> Iterator[Path]:
    """Yields a new folder beside `folder`; puts it in its place if the block ends well. `told` goes
    into the mark. Raises UserError where something stands there that palo did not write."""
    ours = folder.is_dir() and ((folder / MARK).is_file() or not any(folder.iterdir()))
    if not ours and (folder.is_symlink() or folder.exists()):
        raise UserError(
            f"{folder} is there and palo did not write it, so it stays as it is. "
            "Choose another place, or remove it."
        )
    with replaced_folder(folder) as fresh:
        yield fresh
        write_json(fresh / MARK, told)


SHARD_CHARS = 200_000_000  # of text in a Parquet file: some 100 MB compressed
BATCH_ROWS = 1000  # of a row group
_TURN = pa.struct([("from", pa.string()), ("value", pa.string())])
SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("sample_id", pa.string()),
        ("language", pa.string()),
        ("image", pa.string()),
        ("conversations", pa.list_(_TURN)),
    ]
)
_GIT_ATTRIBUTES = "*.parquet filter=lfs diff=lfs merge=lfs -text\n"
README, LICENCE = "README.md", "LICENSE.md"


class Format(StrEnum):
    LLAVA_JSON = "llava-json"  # a list of id, image, conversations: what LLaVA's trainers read
    PARQUET = "parquet"
    HUB = "hub"  # Parquet, card and terms, laid out as the Hub wants it


def export_dir(profile: Profile, form: Format, release: Release) -> Path:
    """Where an export goes unless told otherwise."""
    return profile.data_dir / "export" / f"{form}-{release.name}"


def export(profile: Profile, form: Format, release: Release, folder: Path) -> dict[str, int]:
    """Writes the folder whole; conversations by language. Raises MissingResource for a language
    that was not refined, UserError where `folder` is not palo's to write."""
    missing = [lang for lang in release.langs if not shard_paths(profile.paths.refined(lang))]
    if missing or not release.langs:
        codes = ",".join(missing) or "all"
        raise MissingResource(
            f"Nothing to export: {codes} is not refined in {profile.data_dir}. "
            f"Run palo refine --lang {codes} first."
        )
    told = {"written by": "palo export", "format": str(form), "release": release.name}
    with whole_folder(folder, told) as fresh:
        if form is Format.LLAVA_JSON:
            return _llava_json(profile, release, fresh / f"{release.name}.json")
        counts = {
            str(lang): _parquet(profile, release, lang, fresh / "data" / lang)
            for lang in release.configs
        }
        if form is Format.HUB:
            from data_cards.cards import dataset_card

            terms = licence_notes(dataset_chain(profile, english=release.english))
            (fresh / README).write_text(dataset_card(profile, release), encoding="utf-8")
            (fresh / LICENCE).write_text(terms, encoding="utf-8")
            (fresh / ".gitattributes").write_text(_GIT_ATTRIBUTES, encoding="utf-8")
        return counts


def _llava_json(profile: Profile, release: Release, path: Path) -> dict[str, int]:
    """An item a line, field for field as LLaVA-Instruct has it: no `image` where there is none.
    ASCII: published trainers open the file without saying its encoding."""
    counts = dict.fromkeys(map(str, release.configs), 0)
    between = "[\n"
    with path.open("w", encoding="ascii") as file, progress("export", None) as tick:
        for lang in release.configs:
            for row in conversations(profile, lang, release.english):
                picture = {"image": row["image"]} if row["image"] else {}
                item = {"id": row["id"], **picture, "conversations": row["conversations"]}
                file.write(between + json.dumps(item, ensure_ascii=True))
                between = ",\n"
                counts[lang] += 1
                tick()
        file.write("\n]\n" if between != "[\n" else "[]\n")
    return counts


def _parquet(profile: Profile, release: Release, lang: Language, folder: Path) -> int:
    """`train-00000-of-00003.parquet` and so on; one empty file where nothing was kept."""
    folder.mkdir(parents=True)
    count = 0

    def placed(tick: Tick) -> Iterator[tuple[int, dict[str, Any]]]:
        """Rows, each with the number of its file, which has SHARD_CHARS or so."""
        nonlocal count
        chars = number = 0
        # one folder of pictures must serve all of a mixture; a language alone keeps published names
        for row in conversations(profile, lang, release.english):
            if chars >= SHARD_CHARS:
                chars, number = 0, number + 1
            chars += sum(len(turn["value"]) for turn in row["conversations"])
            count += 1
            yield number, row | {"id": str(row["id"])}
            tick()

    def batches(rows: Iterator[tuple[int, dict[str, Any]]]) -> Iterator[list[dict[str, Any]]]:
        while len(batch := [row for _, row in islice(rows, BATCH_ROWS)]) == BATCH_ROWS:
            yield batch
        yield batch

    with progress(f"export {lang}", None) as tick:
        for number, rows in groupby(placed(tick), key=itemgetter(0)):
            write_rows(folder / f"{number}.parquet", batches(rows), SCHEMA)
    if not count:
        write_rows(folder / "0.parquet", [[]], SCHEMA)
    written = len(list(folder.iterdir()))
    for number in range(written):
        name = f"train-{number:05d}-of-{written:05d}.parquet"
        (folder / f"{number}.parquet").rename(folder / name)
    return count
