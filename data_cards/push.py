"""`palo push`: what would go to the Hub, why it should not, and the sending of it."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory

from data_cards.cards import card_path, check
from data_cards.export import LICENCE, MARK, README, Format, export_dir, whole_folder
from data_cards.licences import licence_notes, model_chain
from data_cards.provenance import read_provenance
from data_cards.release import facts, parse_release
from palo.errors import MissingResource, UserError
from palo.languages import ENGLISH, LANGUAGES, Language
from palo.settings import Profile, config_path

_PRIVATE = frozenset(("training.json", MARK))  # ids and places of this machine; a mark of palo's
_TEXT_BYTES = 4 << 20  # of files that are looked through for paths


class What(StrEnum):
    DATASET = "dataset"  # what `palo export --format hub` wrote
    CHECKPOINT = "checkpoint"


@dataclass(frozen=True)
class Plan:
    """`files` by their names in the repository; `texts` are made on the spot and go before them."""

    what: What
    repo_id: str
    files: dict[str, Path]
    texts: dict[str, str]
    warnings: tuple[str, ...]

    @property
    def repo_type(self) -> str:
        return "dataset" if self.what is What.DATASET else "model"

    @property
    def place(self) -> str:
        """Of the repository, below the Hub's address."""
        return f"datasets/{self.repo_id}" if self.what is What.DATASET else self.repo_id

    @property
    def sizes(self) -> list[tuple[str, int]]:
        """Names and bytes, in the order of names."""
        found = {name: path.stat().st_size for name, path in self.files.items()}
        found |= {name: len(text.encode()) for name, text in self.texts.items()}
        return sorted(found.items())


def plan(profile: Profile, what: What, lang: str, scale: str, repo_id: str, anyway: bool) -> Plan:
    """Raises MissingResource where there is nothing to push, UserError for what should not be."""
    _require_repo_id(repo_id)
    if what is What.DATASET:
        chosen = _dataset(profile, lang, repo_id)
    else:
        chosen = _checkpoint(profile, scale, repo_id)
    _require_no_places(profile, chosen)
    if chosen.warnings and not anyway:
        raise UserError(
            f"Not pushed: {'; '.join(chosen.warnings)}. Mend it, or push with --anyway."
        )
    return chosen


def _require_repo_id(repo_id: str) -> None:
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils._validators import validate_repo_id

    try:
        validate_repo_id(repo_id)
    except HFValidationError as error:
        raise UserError(f"'{repo_id}' is no repository: {error}") from None
    if "/" not in repo_id:
        raise UserError(f"'{repo_id}' names no owner. Write ORG/NAME.")


def _dataset(profile: Profile, lang: str, repo_id: str) -> Plan:
    release = parse_release(lang, profile.paths)
    folder = export_dir(profile, Format.HUB, release)
    if not (folder / README).is_file():
        raise MissingResource(
            f"No folder to push at {folder}. Run palo export --format hub --lang {lang} first."
        )
    told = read_provenance((folder / README).read_text(encoding="utf-8"))
    langs = [Language(code) for code in told.langs if code != ENGLISH] if told else []
    warnings = [
        *_stale(profile, folder / README, f"palo export --format hub --lang {lang}"),
        *_unaccepted(profile, langs),
    ]
    return Plan(What.DATASET, repo_id, _files(folder), {}, tuple(warnings))


def _checkpoint(profile: Profile, scale: str, repo_id: str) -> Plan:
    from data_cards.model import has_checkpoint, named_bases

    folder, card = profile.paths.checkpoint(scale), card_path(profile, scale)
    if not has_checkpoint(profile, scale):
        raise MissingResource(f"No checkpoint in {folder}. Run palo train --scale {scale} first.")
    if not card.is_file():
        raise MissingResource(f"No card at {card}. Run palo card --scale {scale} first.")
    terms = licence_notes(model_chain(profile, named_bases(profile, scale)))
    texts = {README: card.read_text(encoding="utf-8"), LICENCE: terms}
    files = {name: path for name, path in _files(folder).items() if name not in texts}
    warnings = tuple(_stale(profile, card, f"palo card --scale {scale}"))
    return Plan(What.CHECKPOINT, repo_id, files, texts, warnings)


def _files(folder: Path) -> dict[str, Path]:
    return {
        path.relative_to(folder).as_posix(): path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in _PRIVATE
    }


def _stale(profile: Profile, card: Path, again: str) -> list[str]:
    told = read_provenance(card.read_text(encoding="utf-8"))
    if told is None:
        return [f"{card.name} does not say what it was made from (run {again})"]
    changed = check(card, told, profile).changed
    return [f"{card.name} is stale: {', '.join(changed)} (run {again})"] if changed else []


def _unaccepted(profile: Profile, langs: list[Language]) -> list[str]:
    found = []
    for lang in langs:
        one, name = facts(profile, lang, with_use=False), LANGUAGES[lang].name
        if one.audit_failed:
            found.append(f"{name} fails the acceptance plan of its audit")
        if one.structure_broken:
            found.append(f"{name} has shards that do not match their source")
    return found


def _require_no_places(profile: Profile, chosen: Plan) -> None:
    """No file may name a folder of this machine: it is of no use elsewhere, and tells too much."""
    places = {str(profile.data_dir).encode(), str(config_path().resolve().parent).encode()}
    texts = {name: text.encode() for name, text in chosen.texts.items()}
    for name, path in chosen.files.items():
        if path.suffix in (".json", ".md", ".jinja", ".txt") and (
            path.stat().st_size <= _TEXT_BYTES
        ):
            texts[name] = path.read_bytes()
    for name, content in texts.items():
        if any(place in content for place in places):
            raise UserError(
                f"Not pushed: {name} names a folder of this machine. Take it out of the file."
            )


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
        _lay_out(chosen, fresh, shutil.copyfile)
    return folder


def pushed(chosen: Plan, private: bool) -> str:
    """The repository's address. The token is the environment's or that of `hf auth login`.

    Raises MissingResource without token or network, UserError where the Hub refuses.
    """
    from huggingface_hub import HfApi, errors, get_token
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
        found = api.repo_info(chosen.repo_id, repo_type=chosen.repo_type)
        if private and not found.private:
            raise UserError(f"{address} is public. Push with --public if that is meant.")
        with _staged(chosen) as folder:
            api.upload_folder(
                repo_id=chosen.repo_id,
                repo_type=chosen.repo_type,
                folder_path=folder,
                commit_message=f"{chosen.what} by palo push",
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


@contextmanager
def _staged(chosen: Plan) -> Iterator[Path]:
    """All of it as one folder, for the uploader; a checkpoint's own is not written to."""
    # beside the folder that is pushed, so that links stay on one disk
    name, path = next(iter(chosen.files.items()))
    beside = path.parents[len(Path(name).parts)]
    with TemporaryDirectory(prefix=".push-", dir=beside) as folder:
        _lay_out(chosen, Path(folder), _linked)
        yield Path(folder)


def _lay_out(chosen: Plan, folder: Path, put: Callable[[Path, Path], object]) -> None:
    for name, path in chosen.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        put(path, folder / name)
    for name, text in chosen.texts.items():
        (folder / name).write_text(text, encoding="utf-8")


def _linked(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
