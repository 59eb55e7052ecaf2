"""Judges whole conversations: a person's word first, then the filters, then the policy."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from palo.checks.structure import reframed, without_frame
from palo.memory import VerifiedEntry
from palo.schemas import Finding, RefinedSample, TranslatedSample, Turn, TurnStatus, Verdict
from palo.settings import RefineSettings
from refine.filters import Filter, TurnPair
from refine.filters.structure import PlaceholderFilter, StructureFilter, broken_structure
from refine.registry import judge, verdict
from refine.review_file import review_id, text_hash

VERIFIED = "verified"
REVIEWER = "reviewer"
# What no policy lets into training: a conversation that lost its structure.
_SACRED = frozenset({StructureFilter.name, PlaceholderFilter.name})

TurnKey = tuple[str, int]


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
    filters: Sequence[Filter],
    settings: RefineSettings,
    word: HumanWord,
) -> list[RefinedSample]:
    """One refined sample a sample, in order. All are of one language."""
    broken = [broken_structure(sample) for sample in samples]
    corrected = [
        sample if reason else _with_verified(sample, word)
        for sample, reason in zip(samples, broken, strict=True)
    ]
    pairs = [
        pair
        for sample, reason in zip(corrected, broken, strict=True)
        if not reason
        for pair in _pairs(sample)
    ]
    lang = samples[0].lang if samples else ""
    found = iter(judge(filters, pairs, lang))
    refined = []
    for sample, reason in zip(corrected, broken, strict=True):
        if reason:
            refined.append(_broken(sample, reason))
            continue
        findings = tuple(
            _human_first(sample, turn, next(found), word) for turn in range(len(sample.source))
        )
        refined.append(_selected(sample, findings, settings))
    return refined


def flagged(one: Verdict) -> bool:
    return one.severity >= Verdict.REVIEW.severity


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


def _pairs(sample: TranslatedSample) -> list[TurnPair]:
    return [
        TurnPair(
            source.text,
            target.text,
            meta.status,
            meta.finish_reason,
            meta.problem,
            meta.mean_logprob,
            sample.sample_id,
        )
        for source, target, meta in zip(sample.source, sample.target, sample.meta, strict=True)
    ]


def _human_first(
    sample: TranslatedSample, turn: int, found: tuple[Finding, ...], word: HumanWord
) -> tuple[Finding, ...]:
    """A person's word beats the filters', but for the structure."""
    if sample.meta[turn].status is TurnStatus.VERIFIED:
        entry = word.verified.get((sample.sample_id, turn))
        who = f"by {entry.reviewer or 'a reviewer'} in {entry.batch}" if entry else "by a reviewer"
        structure = tuple(one for one in found if one.filter == StructureFilter.name)
        return (*structure, Finding(VERIFIED, None, Verdict.PASS, f"verified {who}"))
    rejection = word.rejected.get(review_id(sample.sample_id, turn))
    text = without_frame(sample.target[turn].text)
    if rejection is None or rejection.translation != text_hash(text):
        return found
    said = f": {rejection.note}" if rejection.note else ""
    reason = f"rejected by {rejection.reviewer or 'a reviewer'} in {rejection.batch}{said}"
    return (Finding(REVIEWER, None, Verdict.REJECT, reason), *found)


def _selected(
    sample: TranslatedSample, findings: tuple[tuple[Finding, ...], ...], settings: RefineSettings
) -> RefinedSample:
    verdicts = tuple(verdict(turn, settings.notes_for_review) for turn in findings)
    sound = not any(
        one.filter in _SACRED and one.verdict is Verdict.REJECT for turn in findings for one in turn
    )
    worst = max(verdicts, key=lambda one: one.severity, default=Verdict.PASS)
    kept = sound and settings.kept_turns(verdicts) > 0
    return RefinedSample(sample, findings, verdicts, worst, kept)


def _broken(sample: TranslatedSample, reason: str) -> RefinedSample:
    """The whole sample is rejected; its first turn says why."""
    finding = Finding(StructureFilter.name, None, Verdict.REJECT, reason)
    turns = max(1, len(sample.source))
    findings = ((finding,), *(() for _ in range(turns - 1)))
    verdicts = (Verdict.REJECT, *(Verdict.PASS for _ in range(turns - 1)))
    return RefinedSample(sample, findings, verdicts, Verdict.REJECT, kept=False)
