"""What a card was made from, as digests: written into the card, held against the data later."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from importlib.resources import files
from typing import Any

from data_cards.licences import TABLE
from data_cards.release import Release, load_report
from palo import __version__
from palo.files import digest, file_digest, read_json
from palo.settings import Profile
from palo.shards import manifest, records_digest

VERSION = "1"  # raise it when the same data give another card
DATASET_TEMPLATE = files("data_cards") / "dataset_card.md.j2"
MODEL_TEMPLATE = files("data_cards") / "model_card.md.j2"
HEADING = "## Provenance"
_BLOCK = re.compile(rf"^{HEADING}$.*?^```json$\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class CardKind(StrEnum):
    DATASET = "dataset"
    CHECKPOINT = "checkpoint"


@dataclass(frozen=True)
class Provenance:
    """`what` is a release's name or a scale; `langs` those of the release, English too.

    `inputs` are digests by name, "" for what was not there; `about` is told and never compared.
    """

    profile: str
    kind: CardKind
    what: str
    langs: tuple[str, ...]
    inputs: Mapping[str, str]
    about: Mapping[str, Any]
    palo: str = __version__

    def block(self) -> str:
        return json.dumps(vars(self), ensure_ascii=False, indent=1, sort_keys=True)


def read_provenance(card: str) -> Provenance | None:
    """The last block of a card, or None where it has none that palo could have written."""
    blocks = _BLOCK.findall(card)
    try:
        said = json.loads(blocks[-1])
        kind, langs = CardKind(said.pop("kind")), tuple(said.pop("langs"))
        return Provenance(kind=kind, langs=langs, **said)
    except (IndexError, ValueError, KeyError, TypeError, AttributeError):
        return None


def dataset_provenance(profile: Profile, release: Release) -> Provenance:
    paths, report = profile.paths, load_report(profile.paths)
    inputs = {
        "card": _card(DATASET_TEMPLATE),
        "settings": _settings(profile),
        "source shards": _folder(paths.source_dir, manifest(paths.source_dir).get("report")),
        "filters' report": _known(report.get("filters")),
        "translator's fine-tune": _known(
            read_json(paths.translator_report) if paths.translator_report.is_file() else None
        ),
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
    return Provenance(profile.name, CardKind.DATASET, release.name, langs, inputs, about)


def checkpoint_provenance(profile: Profile, scale: str) -> Provenance:
    paths = profile.paths
    folder, evaluation = paths.checkpoint(scale), paths.evaluation(scale)
    record = folder / "palo.json"
    told = read_json(evaluation) if evaluation.is_file() else None
    inputs = {
        "card": _card(MODEL_TEMPLATE),
        "settings": _settings(profile),
        "scale": _file(profile.train.scales_dir / f"{scale}.yaml"),
        "checkpoint": _file(record if record.is_file() else folder / "config.json"),
        "training": _file(folder / "training.json"),
        # without its examples, which name pictures by where they lie
        "evaluation": _known(told and [told.get(key) for key in ("languages", "by_kind", "mean")]),
    }
    for path in sorted(evaluation.with_suffix("").glob("bench-*.json")):
        found = read_json(path)
        inputs[path.stem] = _known([found.get(key) for key in ("languages", "signature")])
    made_from = read_json(record).get("inputs", "") if record.is_file() else ""
    caches = sorted((paths.root / "mixture").glob("mixture-*.arrow"))
    about = {"checkpoint inputs": made_from, "mixture caches": [path.stem for path in caches]}
    return Provenance(profile.name, CardKind.CHECKPOINT, scale, (), inputs, about)


def changes(recorded: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """What differs, each in a few words."""
    told = []
    for name in sorted({*recorded, *now}):
        before, after = recorded.get(name, ""), now.get(name, "")
        if before != after:
            told.append(f"{name} {'changed' if before and after else 'gone' if before else 'new'}")
    return told


def _card(template: Any) -> str:
    return digest([VERSION, *(one.read_text(encoding="utf-8") for one in (template, TABLE))])


def _settings(profile: Profile) -> str:
    """What of the settings a card tells, or what decides which rows training takes."""
    return digest(
        [
            profile.description,
            profile.source.path.name,
            [profile.translator.model.rpartition("/")[2], profile.translator.licence],
            profile.refine.model_dump(mode="json", include={"policy", "keep_review", "acceptance"}),
            profile.refine.models.licence_notes(),
            profile.train.mixture.model_dump(mode="json"),
        ]
    )


def _folder(folder: Any, told: Any) -> str:
    records = records_digest(folder)
    return digest([records, told]) if records else ""


def _known(value: Any) -> str:
    return digest(value) if value else ""


def _file(path: Any) -> str:
    return file_digest(path) if path.is_file() else ""
