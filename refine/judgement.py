"""Judges conversations, and a shard of them: a person's word first, then filters, then policy.

A refined shard is a pure function of its translated shard, people's words and the settings. Which
filters judge stands here, in the order in which their findings do: a new one is a function in a
file of refine/filters, a test, and a line in `default_filters`.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from functools import cache
from importlib import resources
from pathlib import Path

from palo.checks.language import LanguageId
from palo.checks.structure import reframed, without_frame
from palo.files import digest, file_digest
from palo.languages import LANGUAGES
from palo.memory import VerifiedEntry, VerifiedMemory
from palo.paths import DataPaths
from palo.schemas import (
    REFINED,
    Finding,
    RefinedSample,
    TranslatedSample,
    Turn,
    TurnStatus,
    Verdict,
)
from palo.settings import ModelFilterSettings, RefineSettings
from palo.shards import is_current, read_translated, to_row, write_shard
from palo.workers import default_processes
from refine import models
from refine.filters import (
    Filter,
    OtherPair,
    TurnPair,
    completeness,
    faults,
    language,
    load_thresholds,
)
from refine.review_file import review_id, text_hash
from refine.signatures import SIGNATURES, TurnKey, load_table, met_in_shard

VERSION = "4"  # raise it with any change of code that changes what a filter says

_DATA = {
    "refine.filters": ("thresholds.yaml",),
    "palo.checks": ("phrases.yaml", "lexicon.tsv", "lexicon_weights.tsv"),
}

VERIFIED = "verified"
REVIEWER = "reviewer"
# What no policy lets into training: a conversation that lost its structure.
_SACRED = frozenset({completeness.structure.name, completeness.placeholder.name})

# Prefixes of a record's counts.
VERDICT_COUNT, REASON_COUNT = "verdict:", "reason:"
# Settings that change no byte of a shard; models' own digests are inputs by themselves.
_NO_MATTER = {
    "language_id_model", "max_review_rows", "audit_rows", "processes", "acceptance",
    "review_xlsx", "thresholds_path", "models",
}  # fmt: skip


def version() -> str:
    """Part of every refined shard's inputs: the code's version, and the data it goes by. The
    languages' table is such data: language ID chooses between those of one script."""
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
        faults.invisible,
        faults.encoding,
        completeness.numbers,
        completeness.lexicon.by(bands),
        completeness.punctuation,
        faults.confidence.by(bands),
        *model_filters(settings.models),
        faults.duplicate,
    )


def model_filters(settings: ModelFilterSettings) -> tuple[models.ModelFilter, ...]:
    """Those that are on."""
    kinds: tuple[type[models.ModelFilter], ...] = (
        models.LabseFilter,
        models.MetricxFilter,
        models.BackTranslationFilter,
        models.JudgeFilter,
    )
    return tuple(kind(section) for kind in kinds if (section := getattr(settings, kind.name)))


def processes(settings: RefineSettings, is_much: bool) -> int:
    """One where starting more takes longer than they save, or each would hold models' weights."""
    alone = not is_much or settings.models != ModelFilterSettings()
    return 1 if alone else settings.processes or default_processes()


def models_digest(settings: ModelFilterSettings) -> str:
    """What decides model filters' findings, "" without any. Raises MissingResource for weights."""
    inputs = [value for each in model_filters(settings) for value in each.inputs()]
    return digest([digest(models.prompts()), *inputs]) if inputs else ""


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


@dataclass(frozen=True)
class Rejection:
    """A reviewer's word that one very translation is wrong; another text is judged anew."""

    translation: str  # text_hash of what was rejected
    reviewer: str
    batch: str
    note: str


Verified = Mapping[TurnKey, VerifiedEntry]
Rejected = Mapping[str, Rejection]  # by review id


def refine_samples(
    samples: Sequence[TranslatedSample],
    settings: RefineSettings,
    verified: Verified,
    rejected: Rejected,
    met: Mapping[TurnKey, tuple[OtherPair, ...]],
) -> list[RefinedSample]:
    """One a sample, in order, all of one language; `met` says which targets have other sources."""
    broken = [completeness.broken_structure(sample) for sample in samples]
    corrected = [
        sample if reason else _with_verified(sample, verified)
        for sample, reason in zip(samples, broken, strict=True)
    ]
    pairs = [
        TurnPair(
            source=sample.source[turn].text,
            target=sample.target[turn].text,
            status=meta.status,
            finish_reason=meta.finish_reason,
            problem=meta.problem,
            mean_logprob=meta.mean_logprob,
            conversation=sample.sample_id,
            others=met.get((sample.sample_id, turn), ()),
        )
        for sample, reason in zip(corrected, broken, strict=True)
        for turn, meta in enumerate(sample.meta if not reason else ())
    ]
    lang = samples[0].lang if samples else ""
    judged = iter(judge(default_filters(settings), pairs, lang))
    refined = []
    for sample, reason in zip(corrected, broken, strict=True):
        turns = range(len(sample.source))
        findings: tuple[tuple[Finding, ...], ...]
        if reason:  # the first turn says it of all
            finding = Finding(completeness.structure.name, None, Verdict.REJECT, reason)
            findings = ((finding,), *(() for _ in turns[1:]))
        else:
            findings = tuple(
                _human_first(sample, turn, next(judged), verified, rejected) for turn in turns
            )
        verdicts = tuple(verdict(turn, settings.notes_for_review) for turn in findings)
        worst = max(verdicts, key=lambda said: said.severity, default=Verdict.PASS)
        sacred = (each for turn in findings for each in turn if each.filter in _SACRED)
        sound = all(each.verdict is not Verdict.REJECT for each in sacred)
        kept = sound and settings.kept_turns(verdicts) > 0
        refined.append(RefinedSample(sample, findings, verdicts, worst, kept))
    return refined


def _with_verified(sample: TranslatedSample, verified: Verified) -> TranslatedSample:
    """The sample with every verified text in place of the machine's."""
    target, meta = list(sample.target), list(sample.meta)
    for turn, source in enumerate(sample.source):
        if entry := verified.get((sample.sample_id, turn)):
            target[turn] = Turn(source.role, reframed(source.text, entry.text))
            meta[turn] = replace(meta[turn], status=TurnStatus.VERIFIED, problem="")
    return replace(sample, target=tuple(target), meta=tuple(meta))


def _human_first(
    sample: TranslatedSample,
    turn: int,
    findings: tuple[Finding, ...],
    verified: Verified,
    rejected: Rejected,
) -> tuple[Finding, ...]:
    """A person's word beats the filters', but for the structure."""
    if sample.meta[turn].status is TurnStatus.VERIFIED:
        entry = verified.get((sample.sample_id, turn))
        who = f"by {entry.reviewer or 'a reviewer'} in {entry.batch}" if entry else "by a reviewer"
        sacred = tuple(each for each in findings if each.filter == completeness.structure.name)
        return (*sacred, Finding(VERIFIED, None, Verdict.PASS, f"verified {who}"))
    rejection = rejected.get(review_id(sample.sample_id, turn))
    text = without_frame(sample.target[turn].text)
    if rejection is None or rejection.translation != text_hash(text):
        return findings
    said = f": {rejection.note}" if rejection.note else ""
    reason = f"rejected by {rejection.reviewer or 'a reviewer'} in {rejection.batch}{said}"
    return (Finding(REVIEWER, None, Verdict.REJECT, reason), *findings)


def judge_inputs(settings: RefineSettings) -> dict[str, str]:
    """What decides every refined shard, beside its own input."""
    model = LanguageId(settings.language_id_model).model_path
    bands = load_thresholds(settings.thresholds_path).items()
    return {
        "settings": digest(settings.model_dump(mode="json", exclude=_NO_MATTER)),
        "filters": version(),
        "thresholds": digest({lang: row.model_dump(mode="json") for lang, row in sorted(bands)}),
        "models": models_digest(settings.models),
        "language_id": file_digest(model) if model.is_file() else "",
    }


def refine_shard(
    settings: RefineSettings,
    paths: DataPaths,
    lang: str,
    rejected: Rejected,
    table: Path,
    table_digest: str,
    inputs: Mapping[str, str],
    source: Path,
) -> bool:
    """Brings the refined shard of a translated one up to date; whether it had to be written."""
    samples, path = read_translated(source), paths.refined(lang) / source.name
    with VerifiedMemory.existing(paths.verified(lang)) as memory:
        verified = verified_turns(samples, memory)
    met = met_in_shard(load_table(table, table_digest), path.parent / SIGNATURES / path.name)
    words = [[*turn, word.text, word.reviewer, word.batch] for turn, word in verified.items()]
    ids = {review_id(each.sample_id, turn) for each in samples for turn in range(len(each.source))}
    rejections = [[key, *astuple(rejected[key])] for key in sorted(ids & rejected.keys())]
    inputs = {
        **inputs,
        "translated": file_digest(source),
        "verified": digest([sorted(words), rejections]),
        "duplicates": digest([[*turn, *map(str, known)] for turn, known in sorted(met.items())]),
    }
    if is_current(path, inputs):
        return False
    refined = refine_samples(samples, settings, verified, rejected, met)
    write_shard(path, [to_row(judged) for judged in refined], REFINED, inputs, _counts(refined))
    return True


def verified_turns(samples: Sequence[TranslatedSample], memory: VerifiedMemory) -> Verified:
    return {
        (sample.sample_id, turn): word
        for sample in samples
        for turn, word in memory.of_sample(sample.sample_id, sample.source).items()
    }


def _counts(refined: Sequence[RefinedSample]) -> dict[str, int]:
    counts = Counter(samples=len(refined), kept=0, flagged=0, turns=0, reviewed=0)
    for judged in refined:
        counts["kept"] += judged.kept
        counts["flagged"] += judged.verdict.flagged
        counts["turns"] += len(judged.sample.source)
        counts["reviewed"] += sum(meta.status is TurnStatus.VERIFIED for meta in judged.sample.meta)
        for said, findings in zip(judged.turn_verdicts, judged.findings, strict=True):
            counts[VERDICT_COUNT + said] += 1
            if said.flagged:
                reasons = {each.filter for each in findings if each.verdict is not Verdict.PASS}
                counts.update(REASON_COUNT + name for name in reasons)
    return dict(counts)
