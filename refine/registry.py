"""Which filters judge: all that refine has, in the order in which their findings stand.

A new filter is a class in a file of refine/filters, a test, and a line in `default_filters`.
"""

from collections.abc import Sequence
from functools import cache
from importlib import resources

from palo.checks.language import LanguageId
from palo.files import digest
from palo.languages import LANGUAGES
from palo.schemas import Finding, Verdict
from palo.settings import ModelFilterSettings, RefineSettings
from refine.filters import Filter, TurnPair
from refine.filters.characters import EncodingFilter, InvisibleFilter
from refine.filters.completeness import (
    EmptyFilter,
    LengthFilter,
    LexiconFilter,
    NumbersFilter,
    PunctuationFilter,
    UnfinishedFilter,
)
from refine.filters.copies import SourceCopyFilter
from refine.filters.faults import (
    AnsweredFilter,
    ConfidenceFilter,
    FailedFilter,
    PreambleFilter,
    RefusalFilter,
    RepetitionFilter,
    TruncatedFilter,
)
from refine.filters.language import (
    ArabicLettersFilter,
    LanguageFilter,
    MixedFilter,
    ScriptFilter,
    TraditionalFilter,
)
from refine.filters.structure import PlaceholderFilter, StructureFilter
from refine.filters.thresholds import load_thresholds
from refine.models import ModelFilter
from refine.models.asked import BackTranslationFilter, JudgeFilter, prompts
from refine.models.estimation import LabseFilter, MetricxFilter

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
        StructureFilter(),
        PlaceholderFilter(),
        EmptyFilter(),
        FailedFilter(),
        TruncatedFilter(),
        SourceCopyFilter(),
        LanguageFilter(identifier, bands),
        MixedFilter(identifier),
        ScriptFilter(bands),
        TraditionalFilter(),
        ArabicLettersFilter(),
        LengthFilter(bands),
        UnfinishedFilter(bands),
        RepetitionFilter(),
        PreambleFilter(),
        RefusalFilter(),
        AnsweredFilter(),
        InvisibleFilter(),
        EncodingFilter(),
        NumbersFilter(),
        LexiconFilter(bands),
        PunctuationFilter(),
        ConfidenceFilter(bands),
        *model_filters(settings.models),
    )


def model_filters(settings: ModelFilterSettings) -> tuple[ModelFilter, ...]:
    """Those that are on."""
    filters: list[ModelFilter] = []
    if settings.labse:
        filters.append(LabseFilter(settings.labse))
    if settings.metricx:
        filters.append(MetricxFilter(settings.metricx))
    if settings.back_translation:
        filters.append(BackTranslationFilter(settings.back_translation))
    if settings.judge:
        filters.append(JudgeFilter(settings.judge))
    return tuple(filters)


def models_digest(settings: ModelFilterSettings) -> str:
    """What decides the model filters' findings; "" where all are off.

    Raises MissingResource for weights that are not on this machine.
    """
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
