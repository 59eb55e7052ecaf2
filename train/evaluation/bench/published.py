"""The published figures, and how PALO groups the languages."""

import functools
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

import yaml

from palo.languages import LANGUAGES
from palo.settings import Section

_PATH = Path(__file__).with_name("published.yaml")


class Group(StrEnum):
    """Whose scores a mean is over."""

    HIGH = "high-resource"
    LOW = "low-resource"
    ALL = "all"


class Published(Section):
    """Scores by model and language, 0 to 100; `fidelity` are shares in percent."""

    source: str
    high_resource: tuple[str, ...]
    low_resource: tuple[str, ...]
    models: dict[str, dict[str, float]]
    averages: dict[str, float]
    fidelity: dict[str, dict[str, float]]

    def languages(self, group: Group) -> tuple[str, ...]:
        """Those of a group, in the table's order."""
        groups = {Group.HIGH: self.high_resource, Group.LOW: self.low_resource}
        return groups.get(group, tuple(LANGUAGES))

    def mean(self, scores: Mapping[str, float], group: Group) -> float | None:
        """The mean over a group's languages, None where not all of them are there."""
        wanted = self.languages(group)
        if not all(lang in scores for lang in wanted):
            return None
        return sum(scores[lang] for lang in wanted) / len(wanted)


@functools.cache
def published() -> Published:
    return Published.model_validate(yaml.safe_load(_PATH.read_text(encoding="utf-8")))
