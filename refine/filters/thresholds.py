"""Reads thresholds.yaml: what is usual in each language."""

from functools import cache
from importlib import resources

import yaml

from palo.errors import unknown
from palo.settings.model import Section


class Thresholds(Section):
    """Bands of one language; see thresholds.yaml for units and sources."""

    length_ratio: tuple[float, float]
    script_share: float


@cache
def thresholds(lang: str) -> Thresholds:
    table = _table()
    if lang not in table:
        raise unknown("language", lang, table)
    return table[lang]


@cache
def _table() -> dict[str, Thresholds]:
    text = resources.files(__package__).joinpath("thresholds.yaml").read_text("utf-8")
    return {
        lang: Thresholds.model_validate(row)
        for lang, row in yaml.safe_load(text)["languages"].items()
    }
