"""What a card was made from, as digests: written into the card, held against the data later.

With it, where the cards of a profile lie, and what makes one stale.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from data_cards.licences import TABLE
from data_cards.release import ALL, MIXTURE, Release, load_report, parse_release
from palo import __version__
from palo.errors import MissingResource
from palo.files import digest, file_digest, read_json
from palo.languages import ENGLISH, Language
from palo.settings import Profile, config_path
from palo.shards import manifest, records_digest, shard_paths

VERSION = "1"  # raise it when the same data give another card
DATASET_TEMPLATE = files("data_cards") / "dataset_card.md.j2"
MODEL_TEMPLATE = files("data_cards") / "model_card.md.j2"
_BLOCK = re.compile(r"^## Provenance$.*?^```json$\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class ReleaseKind(StrEnum):
    """What is described, and published."""

    DATASET = "dataset"
    CHECKPOINT = "checkpoint"


@dataclass(frozen=True)
class Provenance:
    """`what` is a release's name or a scale; `langs` those of the release, English too. `inputs`
    are digests by name, "" for what was not there; `about` is told and never compared."""

    profile: str
    kind: ReleaseKind
    what: str
    langs: tuple[str, ...]
    inputs: Mapping[str, str]
    about: Mapping[str, Any]
    palo: str = __version__

    @property
    def target_langs(self) -> tuple[Language, ...]:
        return tuple(Language(lang) for lang in self.langs if lang != ENGLISH)

    def block(self) -> str:
        return json.dumps(vars(self), ensure_ascii=False, indent=1, sort_keys=True)


def read_provenance(card: str) -> Provenance | None:
    """The last block of a card, or None where it has none that palo could have written."""
    blocks = _BLOCK.findall(card)
    try:
        said = json.loads(blocks[-1])
        kind, langs = ReleaseKind(said.pop("kind")), tuple(said.pop("langs"))
        return Provenance(kind=kind, langs=langs, **said)
    except (IndexError, ValueError, KeyError, TypeError, AttributeError):
        return None


def dataset_provenance(profile: Profile, release: Release) -> Provenance:
    paths, report = profile.paths, load_report(profile.paths)
    inputs = {
        **_shared_inputs(profile, DATASET_TEMPLATE),
        "source shards": _folder(paths.source_dir, manifest(paths.source_dir).get("report")),
        "filters' report": _known(report.get("filters")),
        "translator's fine-tune": _known(read_json(paths.translator_report, {})),
    }
    translators = {}
    for lang in release.langs:
        translated, refined = manifest(paths.translated(lang)), manifest(paths.refined(lang))
        inputs[f"{lang} translated shards"] = _folder(paths.translated(lang), translated)
        inputs[f"{lang} refined shards"] = _folder(paths.refined(lang), refined)
        inputs[f"{lang} refine report"] = _known(report.get("languages", {}).get(lang))
        names = ("signature", "prompt_version")
        translators[str(lang)] = {name: translated.get(name, "") for name in names}
    if release.english and (mix := profile.train.english_mix_path) is not None:
        # a gigabyte: its size stands for it, as in the mixture's own cache
        inputs["English mix"] = _known([mix.name, mix.stat().st_size if mix.is_file() else None])
    about: dict[str, Any] = {
        "translators": translators,
        "filters": report.get("filters", {}).get("version", ""),
    }
    langs = tuple(map(str, release.configs))
    return Provenance(profile.name, ReleaseKind.DATASET, release.name, langs, inputs, about)


def checkpoint_provenance(profile: Profile, scale: str) -> Provenance:
    paths = profile.paths
    folder, evaluation = paths.checkpoint(scale), paths.evaluation(scale)
    record = folder / "palo.json"
    told = read_json(evaluation, {})
    inputs = {
        **_shared_inputs(profile, MODEL_TEMPLATE),
        "scale": _file(profile.train.scales_dir / f"{scale}.yaml"),
        "checkpoint": _file(record if record.is_file() else folder / "config.json"),
        "training": _file(folder / "training.json"),
        # without its examples, which name pictures by where they lie
        "evaluation": _known(told and [told.get(key) for key in ("languages", "by_kind", "mean")]),
    }
    for path in sorted(evaluation.with_suffix("").glob("bench-*.json")):
        bench = read_json(path)
        inputs[path.stem] = _known([bench.get(key) for key in ("languages", "signature")])
    caches = sorted((paths.root / "mixture").glob("mixture-*.arrow"))
    about = {
        "checkpoint inputs": read_json(record, {}).get("inputs", ""),
        "mixture caches": [path.stem for path in caches],
    }
    return Provenance(profile.name, ReleaseKind.CHECKPOINT, scale, (), inputs, about)


def cards_dir() -> Path:
    return config_path().resolve().parent / "data_cards"


def card_path(profile: Profile, what: str) -> Path:
    """Of a release or a scale."""
    return cards_dir() / f"{profile.name}-{what}.md"


def has_checkpoint(profile: Profile, scale: str) -> bool:
    return (profile.paths.checkpoint(scale) / "config.json").is_file()


def checkpoint_dir(profile: Profile, scale: str) -> Path:
    """Raises MissingResource where it was not trained."""
    folder = profile.paths.checkpoint(scale)
    if not has_checkpoint(profile, scale):
        raise MissingResource(f"No checkpoint in {folder}. Run palo train --scale {scale} first.")
    return folder


def changes(told: Provenance, profile: Profile) -> list[str] | None:
    """What a card would record otherwise today, in a few words each; None without its data."""
    paths, langs = profile.paths, told.target_langs
    if told.kind is ReleaseKind.CHECKPOINT:
        if not has_checkpoint(profile, told.what):
            return None
        now = checkpoint_provenance(profile, told.what).inputs
    else:
        if not any(shard_paths(paths.translated(lang)) for lang in langs):
            return None
        if told.what in (ALL, MIXTURE):  # a language that came later is new to them
            langs = parse_release(told.what, paths).langs
        now = dataset_provenance(profile, Release(told.what, langs, ENGLISH in told.langs)).inputs
    both = ((name, told.inputs.get(name), now.get(name)) for name in sorted({*told.inputs, *now}))
    return [
        f"{name} {'changed' if before and after else 'gone' if before else 'new'}"
        for name, before, after in both
        if (before or "") != (after or "")
    ]


def _shared_inputs(profile: Profile, template: Traversable) -> dict[str, str]:
    """Inputs of every card: its template and licences, and the settings that it tells or that
    decide which rows training takes."""
    texts = (path.read_text(encoding="utf-8") for path in (template, TABLE))
    settings = [
        profile.description,
        profile.source.path.name,
        [profile.translator.model.rpartition("/")[2], profile.translator.licence],
        profile.refine.model_dump(mode="json", include={"policy", "keep_review", "acceptance"}),
        profile.refine.models.licence_notes(),
        profile.train.mixture.model_dump(mode="json"),
    ]
    return {"card": digest([VERSION, *texts]), "settings": digest(settings)}


def _folder(folder: Path, told: Any) -> str:
    records = records_digest(folder)
    return digest([records, told]) if records else ""


def _known(value: Any) -> str:
    return digest(value) if value else ""


def _file(path: Path) -> str:
    return file_digest(path) if path.is_file() else ""
