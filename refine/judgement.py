"""Judges conversations, and a shard of them: a person's word first, then filters, then policy.

A refined shard is a pure function of its translated shard, people's words and the settings.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, field, replace
from pathlib import Path

from palo.checks.language import LanguageId
from palo.checks.structure import reframed, without_frame
from palo.files import digest, file_digest
from palo.memory import VerifiedEntry, VerifiedMemory
from palo.schemas import (
    REFINED,
    Finding,
    RefinedSample,
    TranslatedSample,
    Turn,
    TurnStatus,
    Verdict,
)
from palo.settings import RefineSettings
from palo.shards import is_current, read_translated, to_row, write_shard
from refine.filters import OtherPair, TurnPair
from refine.filters.completeness import broken_structure, placeholder, structure
from refine.filters.thresholds import load_thresholds
from refine.registry import default_filters, judge, models_digest, verdict, version
from refine.review_file import review_id, text_hash
from refine.signatures import SIGNATURES, TurnKey, load_table, met_in_shard

VERIFIED = "verified"
REVIEWER = "reviewer"
# What no policy lets into training: a conversation that lost its structure.
_SACRED = frozenset({structure.name, placeholder.name})

# Prefixes of a record's counts.
VERDICT_COUNT, REASON_COUNT = "verdict:", "reason:"
# Settings that change no byte of a shard; models' own digests are inputs by themselves.
_NO_MATTER = {
    "language_id_model", "max_review_rows", "audit_rows", "processes", "acceptance",
    "review_xlsx", "thresholds_path", "models",
}  # fmt: skip


@dataclass(frozen=True)
class Rejection:
    """A reviewer's word that one very translation is wrong; another text is judged anew."""

    translation: str  # text_hash of what was rejected
    reviewer: str
    batch: str
    note: str


@dataclass(frozen=True)
class HumanWord:
    """What people said of the turns at hand."""

    verified: Mapping[TurnKey, VerifiedEntry] = field(default_factory=dict)
    rejected: Mapping[str, Rejection] = field(default_factory=dict)  # by review id


def refine_samples(
    samples: Sequence[TranslatedSample],
    settings: RefineSettings,
    word: HumanWord,
    met: Mapping[TurnKey, tuple[OtherPair, ...]],
) -> list[RefinedSample]:
    """One a sample, in order, all of one language; `met` says which targets have other sources."""
    broken = [broken_structure(sample) for sample in samples]
    corrected = [
        sample if reason else _with_verified(sample, word)
        for sample, reason in zip(samples, broken, strict=True)
    ]
    pairs = [
        TurnPair(
            sample.source[turn].text,
            sample.target[turn].text,
            meta.status,
            meta.finish_reason,
            meta.problem,
            meta.mean_logprob,
            sample.sample_id,
            met.get((sample.sample_id, turn), ()),
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
            finding = Finding(structure.name, None, Verdict.REJECT, reason)
            findings = ((finding,), *(() for _ in turns[1:]))
        else:
            findings = tuple(_human_first(sample, turn, next(judged), word) for turn in turns)
        verdicts = tuple(verdict(turn, settings.notes_for_review) for turn in findings)
        worst = max(verdicts, key=lambda said: said.severity, default=Verdict.PASS)
        sacred = (each for turn in findings for each in turn if each.filter in _SACRED)
        sound = all(each.verdict is not Verdict.REJECT for each in sacred)
        kept = sound and settings.kept_turns(verdicts) > 0
        refined.append(RefinedSample(sample, findings, verdicts, worst, kept))
    return refined


def _with_verified(sample: TranslatedSample, word: HumanWord) -> TranslatedSample:
    """The sample with every verified text in place of the machine's."""
    target, meta = list(sample.target), list(sample.meta)
    for turn, source in enumerate(sample.source):
        entry = word.verified.get((sample.sample_id, turn))
        if entry is None:
            continue
        target[turn] = Turn(source.role, reframed(source.text, entry.text))
        meta[turn] = replace(meta[turn], status=TurnStatus.VERIFIED, problem="")
    return replace(sample, target=tuple(target), meta=tuple(meta))


def _human_first(
    sample: TranslatedSample, turn: int, findings: tuple[Finding, ...], word: HumanWord
) -> tuple[Finding, ...]:
    """A person's word beats the filters', but for the structure."""
    if sample.meta[turn].status is TurnStatus.VERIFIED:
        entry = word.verified.get((sample.sample_id, turn))
        who = f"by {entry.reviewer or 'a reviewer'} in {entry.batch}" if entry else "by a reviewer"
        sacred = tuple(each for each in findings if each.filter == structure.name)
        return (*sacred, Finding(VERIFIED, None, Verdict.PASS, f"verified {who}"))
    rejection = word.rejected.get(review_id(sample.sample_id, turn))
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
    folder: Path,
    memory_path: Path,
    rejected: Mapping[str, Rejection],
    table: Path,
    table_digest: str,
    inputs: Mapping[str, str],
    source: Path,
) -> bool:
    """Brings the refined shard of a translated one up to date; whether it had to be written."""
    samples, path = read_translated(source), folder / source.name
    with VerifiedMemory.existing(memory_path) as memory:
        word = human_word(samples, memory, rejected)
    met = met_in_shard(load_table(table, table_digest), folder / SIGNATURES / source.name)
    verified = [
        [*turn, said.text, said.reviewer, said.batch] for turn, said in word.verified.items()
    ]
    by_id = [[key, *astuple(rejection)] for key, rejection in sorted(word.rejected.items())]
    inputs = {
        **inputs,
        "translated": file_digest(source),
        "verified": digest([sorted(verified), by_id]),
        "duplicates": digest([[*turn, *map(str, known)] for turn, known in sorted(met.items())]),
    }
    if is_current(path, inputs):
        return False
    refined = refine_samples(samples, settings, word, met)
    write_shard(path, [to_row(judged) for judged in refined], REFINED, inputs, _counts(refined))
    return True


def human_word(
    samples: Sequence[TranslatedSample], memory: VerifiedMemory, rejected: Mapping[str, Rejection]
) -> HumanWord:
    """The verified entries and rejections that these samples use, and no others."""
    verified = {
        (sample.sample_id, turn): word
        for sample in samples
        for turn, word in memory.of_sample(sample.sample_id, sample.source).items()
    }
    ids = (
        review_id(sample.sample_id, turn)
        for sample in samples
        for turn in range(len(sample.source) if rejected else 0)
    )
    return HumanWord(verified, {key: rejected[key] for key in ids if key in rejected})


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
