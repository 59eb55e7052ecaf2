"""Exports what training takes: LLaVA's JSON, Parquet, or a folder that is ready for the Hub.

palo export --format llava-json --lang ur
palo export --format hub --lang all
"""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow as pa

from data_cards.licences import dataset_chain, licence_notes
from data_cards.release import Conversation, Release, conversations, image_prefix
from palo.console import progress
from palo.errors import MissingResource, UserError
from palo.files import replaced_folder, write_json
from palo.languages import ENGLISH, Language
from palo.settings import Profile
from palo.shards import shard_paths, write_rows

MARK = ".palo-export.json"  # in every folder that palo wrote: it may be written again


@contextmanager
def whole_folder(folder: Path, told: dict[str, str]) -> Iterator[Path]:
    """Yields a new folder beside `folder`; puts it in its place if the block ends well.

    `told` goes into the mark. Raises UserError where something stands there that palo did not
    write.
    """
    require_ours(folder)
    with replaced_folder(folder) as fresh:
        yield fresh
        write_json(fresh / MARK, told)


def require_ours(folder: Path) -> None:
    """Raises UserError for a file, or a folder that holds something and not palo's mark."""
    if folder.is_dir() and ((folder / MARK).is_file() or not any(folder.iterdir())):
        return
    if folder.is_symlink() or folder.exists():
        raise UserError(
            f"{folder} is there and palo did not write it, so it stays as it is. "
            "Choose another place, or remove it."
        )


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
    """Writes the folder whole; conversations by language.

    Raises MissingResource for a language that was not refined, UserError where `folder` is not
    palo's to write.
    """
    _require_refined(profile, release)
    told = {"written by": "palo export", "format": str(form), "release": release.name}
    with whole_folder(folder, told) as fresh:
        if form is Format.LLAVA_JSON:
            return _llava_json(profile, release, fresh / f"{release.name}.json")
        counts = {
            str(lang): _parquet(profile, release, lang, fresh / "data" / lang)
            for lang in release.configs
        }
        if form is Format.HUB:
            _documents(profile, release, fresh)
        return counts


def _require_refined(profile: Profile, release: Release) -> None:
    paths = profile.paths
    missing = [lang for lang in release.langs if not shard_paths(paths.refined(lang))]
    if missing or not release.langs:
        codes = ",".join(missing) or "all"
        raise MissingResource(
            f"Nothing to export: {codes} is not refined in {profile.data_dir}. "
            f"Run palo refine --lang {codes} first."
        )


def item(one: Conversation) -> dict[str, Any]:
    """Field for field as LLaVA-Instruct has it: no `image` where there is none."""
    picture = {"image": one.image} if one.image else {}
    turns = [{"from": role, "value": text} for role, text in one.turns]
    return {"id": one.source_id, **picture, "conversations": turns}


def _llava_json(profile: Profile, release: Release, path: Path) -> dict[str, int]:
    """An item a line. ASCII: published trainers open the file without saying its encoding."""
    counts = dict.fromkeys(map(str, release.configs), 0)
    between = "[\n"
    with path.open("w", encoding="ascii") as file, progress("export", None) as tick:
        for one in _all(profile, release):
            file.write(between + json.dumps(item(one), ensure_ascii=True))
            between = ",\n"
            counts[one.lang] += 1
            tick()
        file.write("\n]\n" if between != "[\n" else "[]\n")
    return counts


def _all(profile: Profile, release: Release) -> Iterator[Conversation]:
    return chain.from_iterable(_of(profile, release, lang) for lang in release.configs)


def _of(profile: Profile, release: Release, lang: Language) -> Iterator[Conversation]:
    # one folder of pictures must serve all of a mixture; a language alone keeps published names
    prefix = image_prefix(profile) if release.english else ""
    return conversations(profile, lang, prefix)


def _parquet(profile: Profile, release: Release, lang: Language, folder: Path) -> int:
    """`train-00000-of-00003.parquet` and so on; one empty file where nothing was kept."""
    folder.mkdir(parents=True)
    rows, count = _Shards(_of(profile, release, lang)), 0
    written: list[Path] = []
    with progress(f"export {lang}", None) as tick:
        while rows.left or not written:
            path = folder / f"{len(written)}.parquet"
            write_rows(path, rows.next_shard(), SCHEMA)
            tick(rows.count - count)
            count = rows.count
            written.append(path)
    for number, path in enumerate(written):
        path.rename(folder / f"train-{number:05d}-of-{len(written):05d}.parquet")
    return count


class _Shards:
    """Cuts a stream of conversations into shards of SHARD_CHARS or so, in batches of rows."""

    def __init__(self, found: Iterable[Conversation]) -> None:
        self._rows = iter(found)
        self._next = next(self._rows, None)
        self.count = 0

    @property
    def left(self) -> bool:
        return self._next is not None

    def next_shard(self) -> Iterator[list[dict[str, Any]]]:
        chars, batch = 0, []
        while self._next is not None and chars < SHARD_CHARS:
            batch.append(_row(self._next))
            chars += sum(len(text) for _, text in self._next.turns)
            self._next = next(self._rows, None)
            self.count += 1
            if len(batch) == BATCH_ROWS:
                yield batch
                batch = []
        yield batch


def _row(one: Conversation) -> dict[str, Any]:
    said = item(one)
    return {
        "id": str(one.source_id),
        "sample_id": one.sample_id,
        "language": str(one.lang),
        "image": one.image,
        "conversations": said["conversations"],
    }


def _documents(profile: Profile, release: Release, folder: Path) -> None:
    from data_cards.dataset import render

    terms = licence_notes(dataset_chain(profile, english=ENGLISH in release.configs))
    (folder / README).write_text(render(profile, release), encoding="utf-8")
    (folder / LICENCE).write_text(terms, encoding="utf-8")
    (folder / ".gitattributes").write_text(_GIT_ATTRIBUTES, encoding="utf-8")
