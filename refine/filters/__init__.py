"""The filters: one small file each. A new one is a file, a test, and a line here."""

from collections.abc import Sequence
from importlib import resources

from palo.checks.language import LanguageId
from palo.files import digest
from palo.languages import LANGUAGES
from palo.schemas import Finding, Verdict
from palo.settings import RefineSettings
from refine.filters.answered import AnsweredFilter
from refine.filters.confidence import ConfidenceFilter
from refine.filters.contract import Filter, Pair
from refine.filters.empty import EmptyFilter
from refine.filters.encoding import EncodingFilter
from refine.filters.engine import FailedFilter, TruncatedFilter
from refine.filters.invisible import InvisibleFilter
from refine.filters.language_id import LanguageFilter
from refine.filters.length import LengthFilter
from refine.filters.lexicon import LexiconFilter
from refine.filters.mixed import MixedFilter
from refine.filters.numbers import NumbersFilter
from refine.filters.placeholder import PlaceholderFilter
from refine.filters.preamble import PreambleFilter
from refine.filters.punctuation import PunctuationFilter
from refine.filters.refusal import RefusalFilter
from refine.filters.repetition import RepetitionFilter
from refine.filters.script import ScriptFilter
from refine.filters.source_copy import SourceCopyFilter
from refine.filters.structure import StructureFilter, broken_structure
from refine.filters.thresholds import load_thresholds
from refine.filters.unfinished import UnfinishedFilter
from refine.filters.variants import ArabicLettersFilter, TraditionalFilter
from refine.models import model_filters

__all__ = [
    "Filter",
    "Pair",
    "broken_structure",
    "default_filters",
    "judge",
    "verdict",
    "version",
]

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
    return digest([VERSION, *table, *(one.read_text("utf-8") for one in files)])


def default_filters(settings: RefineSettings) -> tuple[Filter, ...]:
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


def judge(filters: Sequence[Filter], pairs: Sequence[Pair], lang: str) -> list[tuple[Finding, ...]]:
    """Every finding of every filter: one tuple a pair, in the order of the filters."""
    columns = [one.judge(pairs, lang) for one in filters]
    return [tuple(filter(None, row)) for row in zip(*columns, strict=True)] if columns else []


def verdict(findings: Sequence[Finding], notes_for_review: int) -> Verdict:
    """The worst of the findings; so many notes together ask for review."""
    worst = max((one.verdict for one in findings), key=lambda v: v.severity, default=Verdict.PASS)
    notes = sum(one.verdict is Verdict.NOTE for one in findings)
    if worst is Verdict.NOTE and notes >= notes_for_review:
        return Verdict.REVIEW
    return worst
