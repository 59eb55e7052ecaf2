"""Which weights translate a language: the fine-tuned ones where there are any, else the base.

`<finetuned_dir>/active.json` says, per language, which folder holds what `palo translator train`
made last, and from which base; weights from another base are not used.
"""

from dataclasses import asdict, dataclass
from pathlib import Path

from palo.engines.open import signature
from palo.engines.stream import Weights
from palo.files import read_json, write_json
from palo.settings import TranslatorSettings

_ACTIVE = "active.json"


@dataclass(frozen=True)
class Finetuned:
    """One language's row of active.json; `folder` is relative to it."""

    folder: str
    lora: bool
    base: str  # signature of the base model at training time


def base_weights(settings: TranslatorSettings) -> Weights:
    return Weights(settings.model, settings.revision)


def base_version(settings: TranslatorSettings) -> str:
    """Names the base's weights. Raises MissingResource where they are not here."""
    found = signature(base_weights(settings), settings)
    return f"{found.model} {found.weights}"


def weights_for(settings: TranslatorSettings, lang: str) -> Weights:
    """Raises MissingResource where the base model is not here."""
    base = base_weights(settings)
    row = _active(settings.finetuned_dir).get(lang)
    if row is None or row.base != base_version(settings):
        return base
    folder = settings.finetuned_dir / row.folder
    if row.lora:
        return Weights(base.model, base.revision, folder)
    return Weights(str(folder))


def activate(settings: TranslatorSettings, langs: list[str], row: Finetuned) -> None:
    """From now on `row` translates `langs`."""
    active = _active(settings.finetuned_dir)
    active.update(dict.fromkeys(langs, row))
    rows = {lang: asdict(found) for lang, found in active.items()}
    write_json(settings.finetuned_dir / _ACTIVE, rows)


def _active(folder: Path) -> dict[str, Finetuned]:
    path = folder / _ACTIVE
    if not path.is_file():
        return {}
    return {lang: Finetuned(**row) for lang, row in read_json(path).items()}
