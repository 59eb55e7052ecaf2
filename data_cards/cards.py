"""The cards of a profile: which there are, where they lie, whether they are still true."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from data_cards.provenance import (
    CardKind,
    Provenance,
    changes,
    checkpoint_provenance,
    dataset_provenance,
    read_provenance,
)
from data_cards.release import ALL, MIXTURE, Release, parse_release, there_are
from palo.errors import UserError
from palo.files import write_text
from palo.languages import ENGLISH, Language
from palo.settings import Config, Profile, config_path
from palo.shards import shard_paths


@dataclass(frozen=True)
class Checked:
    """What was found of one card; `changed` is empty for one that stands, `note` says why."""

    path: Path
    changed: tuple[str, ...] = ()
    note: str = ""


def cards_dir() -> Path:
    return config_path().resolve().parent / "data_cards"


def card_path(profile: Profile, what: str) -> Path:
    """Of a release or a scale."""
    return cards_dir() / f"{profile.name}-{what}.md"


def write_dataset_card(profile: Profile, release: Release) -> Path:
    from data_cards.dataset import render

    return write_text(card_path(profile, release.name), render(profile, release))


def write_model_card(profile: Profile, scale: str) -> Path:
    from data_cards.model import render

    return write_text(card_path(profile, scale), render(profile, scale))


def write_all(profile: Profile) -> list[Path]:
    """Every card that there is data for: languages, the mixture, checkpoints.

    Raises UserError where there is none.
    """
    from data_cards.model import has_checkpoint, scales

    paths = profile.paths
    langs, trained = (
        there_are(paths),
        [one for one in scales(profile) if has_checkpoint(profile, one)],
    )
    if not (langs or trained):
        raise UserError("No translated rows to describe. Run palo translate --lang all first.")
    written = [write_dataset_card(profile, Release(lang, (lang,))) for lang in langs]
    mixture = parse_release(MIXTURE, paths)
    if mixture.langs:
        written.append(write_dataset_card(profile, mixture))
    return written + [write_model_card(profile, scale) for scale in trained]


def check_all(config: Config, only: str | None) -> Iterator[Checked]:
    """Every card in data_cards/, or those of one profile."""
    for path in sorted(cards_dir().glob("*.md")):
        told = read_provenance(path.read_text(encoding="utf-8"))
        if told is None:
            if only is None:
                yield Checked(path, ("it has no provenance that palo wrote",))
        elif only in (None, told.profile):
            yield check(path, told, config.profiles.get(told.profile))


def check(path: Path, told: Provenance, profile: Profile | None) -> Checked:
    """A card whose data are not on this machine stands, with a note."""
    if profile is None:
        return Checked(path, note=f"pipelines.yaml has no profile {told.profile} any more")
    now = provenance_now(told, profile)
    if now is None:
        return Checked(path, note=f"its data are not on this machine ({told.profile}, {told.what})")
    return Checked(path, tuple(changes(told.inputs, now.inputs)))


def provenance_now(told: Provenance, profile: Profile) -> Provenance | None:
    """What the card would record today; None where nothing of its data is there."""
    paths = profile.paths
    if told.kind is CardKind.CHECKPOINT:
        there = (paths.checkpoint(told.what) / "config.json").is_file()
        return checkpoint_provenance(profile, told.what) if there else None
    langs = tuple(Language(lang) for lang in told.langs if lang != ENGLISH)
    if not any(shard_paths(paths.translated(lang)) for lang in langs):
        return None
    english = ENGLISH in told.langs
    if told.what in (ALL, MIXTURE):  # a language that came later is new to them
        langs = parse_release(told.what, paths).langs
    return dataset_provenance(profile, Release(told.what, langs, english))
