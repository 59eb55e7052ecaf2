"""What would go to the Hub, why it should not, and the sending of it.

palo push --repo-id ORG/NAME --lang all
"""

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from data_cards.export import LICENCE, MARK, README, Format, export_dir, whole_folder
from data_cards.licences import licence_notes, model_chain
from data_cards.provenance import ReleaseKind, card_path, changes, checkpoint_dir, read_provenance
from data_cards.release import LanguageFacts, parse_release
from palo.errors import MissingResource, UserError
from palo.hub import go_online
from palo.settings import Profile, config_path

_PRIVATE = frozenset(("training.json", MARK))  # ids and places of this machine; a mark of palo's
_PLACE = re.compile(rb'"\w*(path|dir|tower)"\s*:\s*"(/|[A-Za-z]:)')  # of any other folder
_TEXT_BYTES = 4 << 20  # of files that are looked through for paths


@dataclass(frozen=True)
class Plan:
    """`contents` by their names in the repository: files, and what is made on the spot."""

    what: ReleaseKind
    repo_id: str
    contents: dict[str, Path | bytes]
    warnings: list[str]

    @property
    def repo_type(self) -> str:
        return "dataset" if self.what is ReleaseKind.DATASET else "model"

    @property
    def place(self) -> str:
        """Of the repository, below the Hub's address."""
        return f"datasets/{self.repo_id}" if self.what is ReleaseKind.DATASET else self.repo_id

    @property
    def sizes(self) -> list[tuple[str, int]]:
        """Names and bytes, in the order of names."""
        return [(name, _size(content)) for name, content in sorted(self.contents.items())]


def _size(content: Path | bytes) -> int:
    return len(content) if isinstance(content, bytes) else content.stat().st_size


def plan(
    profile: Profile, what: ReleaseKind, lang: str, scale: str, repo_id: str, anyway: bool
) -> Plan:
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
        if any(place in content for place in places) or (
            name.endswith(".json") and _PLACE.search(content)
        ):
            raise UserError(
                f"Not pushed: {name} names a folder of this machine. Take it out of the file."
            )
    if warnings and not anyway:
        raise UserError(f"Not pushed: {'; '.join(warnings)}. Mend it, or push with --anyway.")
    return Plan(what, repo_id, contents, warnings)


def _contents(
    profile: Profile, what: ReleaseKind, lang: str, scale: str
) -> tuple[dict[str, Path | bytes], list[str]]:
    """Files by their names in the repository, and what speaks against publishing them."""
    if what is ReleaseKind.DATASET:
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
    if what is ReleaseKind.CHECKPOINT:
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
    with whole_folder(folder, {"written by": "palo push", "repository": chosen.place}) as fresh:
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

    go_online()
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
