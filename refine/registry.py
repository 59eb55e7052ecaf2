"""Which filters judge: all that refine has, in the order in which their findings stand.

A new filter is a class in a file of refine/filters, a test, and a line in `default_filters`.
"""

from collections.abc import Callable, Sequence
from functools import cache
from importlib import resources
from typing import Any

from palo.checks.language import LanguageId
from palo.files import digest
from palo.languages import LANGUAGES
from palo.schemas import Finding, Verdict
from palo.settings import ModelFilterSettings, RefineSettings
from palo.workers import default_processes
from refine.filters import Filter, TurnPair, characters, completeness, faults, language
from refine.filters.thresholds import load_thresholds
from refine.models import (
    BackTranslationFilter,
    JudgeFilter,
    LabseFilter,
    MetricxFilter,
    ModelFilter,
    prompts,
)

VERSION = "4"  # raise it with any change of code that changes what a filter says

_DATA = {
    "refine.filters": ("thresholds.yaml",),
    "palo.checks": ("phrases.yaml", "lexicon.tsv", "lexicon_weights.tsv"),
}


def version() -> str:
    """Part of every refined shard's inputs: the code's version, and the data it goes by.

    The languages' table is such data: language ID chooses between those of one script.
    """
    files = [resources.files(at).joinpath(name) for at, names in _DATA.items() for name in names]
    table = [repr(row) for row in LANGUAGES.values()]
    return digest([VERSION, *table, *(file.read_text("utf-8") for file in files)])


@cache
def default_filters(settings: RefineSettings) -> tuple[Filter, ...]:
    """Loaded once a process."""
    identifier = LanguageId(settings.language_id_model)
    bands = load_thresholds(settings.thresholds_path)
    return (
        completeness.structure,
        completeness.placeholder,
        completeness.empty,
        faults.failed,
        faults.truncated,
        faults.source_copy,
        language.LanguageFilter(identifier, bands),
        language.mixed(identifier),
        language.script.by(bands),
        language.traditional,
        language.arabic_letters,
        completeness.length.by(bands),
        completeness.unfinished.by(bands),
        faults.repetition,
        faults.preamble,
        faults.refusal,
        faults.answered,
        characters.invisible,
        characters.encoding,
        completeness.numbers,
        completeness.lexicon.by(bands),
        completeness.punctuation,
        faults.confidence.by(bands),
        *model_filters(settings.models),
        faults.duplicate,
    )


def model_filters(settings: ModelFilterSettings) -> tuple[ModelFilter, ...]:
    """Those that are on."""
    kinds: tuple[tuple[Any, Callable[[Any], ModelFilter]], ...] = (
        (settings.labse, LabseFilter),
        (settings.metricx, MetricxFilter),
        (settings.back_translation, BackTranslationFilter),
        (settings.judge, JudgeFilter),
    )
    return tuple(kind(section) for section, kind in kinds if section)


def processes(settings: RefineSettings, is_much: bool) -> int:
    """One where starting more takes longer than they save, or each would hold models' weights."""
    alone = not is_much or settings.models != ModelFilterSettings()
    return 1 if alone else settings.processes or default_processes()


def models_digest(settings: ModelFilterSettings) -> str:
    """What decides model filters' findings, "" without any. Raises MissingResource for weights."""
    inputs = [value for each in model_filters(settings) for value in each.inputs()]
    return digest([digest(prompts()), *inputs]) if inputs else ""


def judge(
    filters: Sequence[Filter], pairs: Sequence[TurnPair], lang: str
) -> list[tuple[Finding, ...]]:
    """Every finding of every filter: one tuple a pair, in the order of the filters."""
    columns = [each.judge(pairs, lang) for each in filters]
    return [tuple(filter(None, row)) for row in zip(*columns, strict=True)] if columns else []


def verdict(findings: Sequence[Finding], notes_for_review: int) -> Verdict:
    """The worst of the findings; so many notes together ask for review."""
    worst = max((each.verdict for each in findings), key=lambda v: v.severity, default=Verdict.PASS)
    notes = sum(each.verdict is Verdict.NOTE for each in findings)
    if worst is Verdict.NOTE and notes >= notes_for_review:
        return Verdict.REVIEW
    return worst
