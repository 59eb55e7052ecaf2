"""Exports what training takes: LLaVA's JSON, Parquet, or a folder that is ready for the Hub; then
what of it, or of a checkpoint, would go to the Hub, why it should not, and the sending of it.

palo export --format llava-json --lang ur
palo export --format hub --lang all
palo push --repo-id ORG/NAME --lang all
"""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby, islice
from operator import itemgetter
from pathlib import Path
from typing import Any

import pyarrow as pa

from data_cards.licences import dataset_chain, licence_notes, model_chain
from data_cards.provenance import Kind, card_path, changes, checkpoint_dir, read_provenance
from data_cards.release import LanguageFacts, Release, conversations, parse_release
from palo.console import Tick, progress
from palo.errors import MissingResource, UserError
from palo.files import replaced_folder, write_json
from palo.languages import Language
from palo.settings import Profile, config_path
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
_PRIVATE = frozenset(("training.json", MARK))  # ids and places of this machine; a mark of palo's
_TEXT_BYTES = 4 << 20  # of files that are looked through for paths


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


@dataclass(frozen=True)
class Plan:
    """`contents` by their names in the repository: files, and what is made on the spot."""

    what: Kind
    repo_id: str
    contents: dict[str, Path | bytes]
    warnings: list[str]

    @property
    def repo_type(self) -> str:
        return "dataset" if self.what is Kind.DATASET else "model"

    @property
    def place(self) -> str:
        """Of the repository, below the Hub's address."""
        return f"datasets/{self.repo_id}" if self.what is Kind.DATASET else self.repo_id

    @property
    def sizes(self) -> list[tuple[str, int]]:
        """Names and bytes, in the order of names."""
        return [(name, _size(content)) for name, content in sorted(self.contents.items())]


def _size(content: Path | bytes) -> int:
    return len(content) if isinstance(content, bytes) else content.stat().st_size


def plan(profile: Profile, what: Kind, lang: str, scale: str, repo_id: str, anyway: bool) -> Plan:
    """Raises MissingResource where there is nothing to push, UserError for what should not be."""
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils._validators import validate_repo_id

    try:
        validate_repo_id(repo_id)
    except HFValidationError as error:
        raise UserError(f"'{repo_id}' is no repository: {error}") from None
    if "/" not in repo_id:
        raise UserError(f"'{repo_id}' names no owner. Write ORG/NAME.")
    contents, warnings = _contents(profile, what, lang, scale)
    # a folder of this machine is of no use elsewhere, and tells too much
    places = {str(profile.data_dir).encode(), str(config_path().resolve().parent).encode()}
    for name, content in contents.items():
        if isinstance(content, Path):
            is_text = content.suffix in (".json", ".md", ".jinja", ".txt")
            content = content.read_bytes() if is_text and _size(content) <= _TEXT_BYTES else b""
        if any(place in content for place in places):
            raise UserError(
                f"Not pushed: {name} names a folder of this machine. Take it out of the file."
            )
    if warnings and not anyway:
        raise UserError(f"Not pushed: {'; '.join(warnings)}. Mend it, or push with --anyway.")
    return Plan(what, repo_id, contents, warnings)


def _contents(
    profile: Profile, what: Kind, lang: str, scale: str
) -> tuple[dict[str, Path | bytes], list[str]]:
    """Files by their names in the repository, and what speaks against publishing them."""
    if what is Kind.DATASET:
        folder = export_dir(profile, Format.HUB, parse_release(lang, profile.paths))
        card, lacking = folder / README, f"folder to push at {folder}"
        again = f"palo export --format hub --lang {lang}"
    else:
        folder, card = checkpoint_dir(profile, scale), card_path(profile, scale)
        lacking, again = f"card at {card}", f"palo card --scale {scale}"
    if not card.is_file():
        raise MissingResource(f"No {lacking}. Run {again} first.")
    contents: dict[str, Path | bytes] = {
        path.relative_to(folder).as_posix(): path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in _PRIVATE
    }
    if what is Kind.CHECKPOINT:
        terms = licence_notes(model_chain(profile, scale))
        contents |= {README: card.read_bytes(), LICENCE: terms.encode()}
    told = read_provenance(card.read_text(encoding="utf-8"))
    if told is None:
        return contents, [f"{card.name} does not say what it was made from (run {again})"]
    warnings = []
    if changed := changes(told, profile):
        warnings.append(f"{card.name} is stale: {', '.join(changed)} (run {again})")
    for facts in (LanguageFacts(profile, code) for code in told.target_langs):
        if facts.audit_failed:
            warnings.append(f"{facts.name} fails the acceptance plan of its audit")
        if facts.structure_broken:
            warnings.append(f"{facts.name} has shards that do not match their source")
    return contents, warnings


_STATUS = {
    401: "it does not accept the token",
    403: "the token has no right to write there",
    404: "there is no such repository, or the token may not see it",
}


def copied(chosen: Plan, to: Path) -> Path:
    """The folder `to/datasets/ORG/NAME` (a checkpoint: `to/ORG/NAME`), written whole."""
    folder = to.absolute() / chosen.place
    told = {"written by": "palo push", "repository": chosen.place}
    with whole_folder(folder, told) as fresh:
        for name, content in chosen.contents.items():
            (fresh / name).parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, bytes):
                (fresh / name).write_bytes(content)
            else:
                shutil.copyfile(content, fresh / name)
    return folder


def pushed(chosen: Plan, private: bool) -> str:
    """The repository's address. The token is the environment's or that of `hf auth login`. Raises
    MissingResource without token or network, UserError where the Hub refuses."""
    from huggingface_hub import CommitOperationAdd, HfApi, errors, get_token
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    # of whichever HTTP library huggingface_hub is built on; an answer is an HfHubHTTPError
    no_answer: type[Exception] = errors.HTTPError  # type: ignore[attr-defined]

    api = HfApi(library_name="palo")
    if not get_token():
        raise MissingResource("No token for the Hub. Run hf auth login, or set HF_TOKEN.")
    try:
        address = api.create_repo(
            chosen.repo_id, repo_type=chosen.repo_type, private=private, exist_ok=True
        )
        repository = api.repo_info(chosen.repo_id, repo_type=chosen.repo_type)
        if private and not repository.private:
            raise UserError(f"{address} is public. Push with --public if that is meant.")
        contents = sorted(chosen.contents.items())
        api.create_commit(
            chosen.repo_id,
            [CommitOperationAdd(name, content) for name, content in contents],
            commit_message=f"{chosen.what} by palo push",
            repo_type=chosen.repo_type,
        )
    except OfflineModeIsEnabled:
        raise MissingResource(
            "HF_HUB_OFFLINE is set, so nothing can be pushed. Unset it, or use --to FOLDER."
        ) from None
    except HfHubHTTPError as error:
        status = error.response.status_code
        why = _STATUS.get(status, f"it answered {status}")
        raise UserError(f"{api.endpoint} refused {chosen.place}: {why}.") from None
    except (no_answer, ConnectionError, TimeoutError):
        raise MissingResource(
            f"Cannot reach {api.endpoint}. Is there a network? What was sent stays sent; the same "
            "command goes on."
        ) from None
    return str(address)
