"""Reads thresholds.yaml: what is usual in each language; a file of one's own may say otherwise."""

from collections.abc import Mapping
from functools import cache
from importlib import resources
from pathlib import Path

import yaml
from pydantic import Field, ValidationError

from palo.errors import UserError, unknown
from palo.settings.model import Section


class Thresholds(Section):
    """Bands of one language; see thresholds.yaml for units and sources."""

    length_ratio: tuple[float, float]
    usual_ratio: float = Field(gt=0)
    script_share: float = Field(ge=0, le=1)
    short_unfinished_share: float = Field(default=0.85, gt=0, le=1)
    foreign_share: float = Field(default=0.95, gt=0, le=1)
    lexicon_score: float = Field(default=-3.0, le=0)
    low_logprob: float = Field(default=-1.5, le=0)


Bands = Mapping[str, Thresholds]


def thresholds(lang: str, bands: Bands | None = None) -> Thresholds:
    """Those of a language; the project's own where no others are given."""
    table = shipped() if bands is None else bands
    if lang not in table:
        raise unknown("language", lang, table)
    return table[lang]


@cache
def shipped() -> Bands:
    return _parsed(resources.files(__package__).joinpath("thresholds.yaml").read_text("utf-8"))


def load_thresholds(path: Path | None) -> Bands:
    """The shipped bands, with those of the file in place of them for the languages it has."""
    if path is None:
        return shipped()
    try:
        own = _parsed(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, ValidationError, ValueError) as error:
        said = str(error).strip().split("\n")[0]
        raise UserError(
            f"Cannot read the thresholds {path}: {said}. Write the file anew with `palo refine "
            "calibrate`, or take refine.thresholds_path out of pipelines.yaml."
        ) from None
    return {**shipped(), **own}


def _parsed(text: str) -> dict[str, Thresholds]:
    raw = yaml.safe_load(text)
    if not isinstance(raw, dict) or not isinstance(raw.get("languages"), dict):
        raise ValueError("it has no 'languages'")
    return {lang: Thresholds.model_validate(row) for lang, row in raw["languages"].items()}
