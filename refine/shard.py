"""One refined shard: a pure function of its translated shard, people's words and the settings.

Everything a worker process needs to make one is in the job, which is small and picklable.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from palo.checks.language import LanguageId
from palo.files import digest, file_digest
from palo.memory import VerifiedMemory
from palo.schemas import REFINED, RefinedSample, TranslatedSample, TurnStatus, Verdict
from palo.settings import RefineSettings
from palo.shards import is_current, read_translated, refined_to_row, write_shard
from refine.filters import Filter
from refine.filters.copies import DuplicateFilter, OtherPair
from refine.filters.thresholds import load_thresholds
from refine.judgement import HumanWord, Rejection, TurnKey, flagged, refine_samples
from refine.registry import default_filters, models_digest, version
from refine.review_file import review_id
from refine.signatures import load_table

VERDICT_COUNT, REASON_COUNT = "verdict:", "reason:"  # prefixes of a record's counts

# Settings that change no byte of a shard; models' own digests are inputs by themselves.
_NO_MATTER = {
    "language_id_model", "max_review_rows", "audit_rows", "processes", "acceptance",
    "review_xlsx", "thresholds_path", "models",
}  # fmt: skip


@dataclass(frozen=True)
class ShardJob:
    """What a refined shard is made of."""

    source: Path
    path: Path
    signatures: Path
    memory: Path
    settings: RefineSettings
    table: Path
    table_digest: str
    rejected: dict[str, Rejection]
    inputs: dict[str, str]


def judge_inputs(settings: RefineSettings) -> dict[str, str]:
    """What decides every refined shard, beside its own input."""
    model = LanguageId(settings.language_id_model).model_path
    said = settings.model_dump(mode="json", exclude=_NO_MATTER)
    return {
        "settings": digest(said),
        "filters": version(),
        "thresholds": _thresholds(settings),
        "models": models_digest(settings.models),
        "language_id": file_digest(model) if model.is_file() else "",
    }


def _thresholds(settings: RefineSettings) -> str:
    bands = load_thresholds(settings.thresholds_path)
    return digest({lang: one.model_dump(mode="json") for lang, one in sorted(bands.items())})


def refine_shard(job: ShardJob) -> bool:
    """Brings the shard up to date; whether it had to be written."""
    samples = read_translated(job.source)
    with VerifiedMemory.existing(job.memory) as memory:
        word = human_word(samples, memory, job.rejected)
    met = load_table(job.table, job.table_digest).of_shard(job.signatures)
    inputs = {
        **job.inputs,
        "translated": file_digest(job.source),
        "verified": _digest(word),
        "duplicates": digest([[*turn, *map(str, known)] for turn, known in sorted(met.items())]),
    }
    if is_current(job.path, inputs):
        return False
    filters = (*filters_of(job.settings), DuplicateFilter(_by_texts(samples, met)))
    refined = refine_samples(samples, filters, job.settings, word)
    rows = [refined_to_row(one) for one in refined]
    write_shard(job.path, rows, REFINED, inputs, _counts(refined))
    return True


@cache
def filters_of(settings: RefineSettings) -> tuple[Filter, ...]:
    """The filters, loaded once a process."""
    return default_filters(settings)


def _by_texts(
    samples: Sequence[TranslatedSample], met: dict[TurnKey, tuple[OtherPair, ...]]
) -> dict[tuple[str, str], tuple[OtherPair, ...]]:
    texts = {
        (sample.sample_id, turn): (source.text, target.text)
        for sample in samples
        for turn, (source, target) in enumerate(zip(sample.source, sample.target, strict=False))
    }
    return {texts[turn]: known for turn, known in met.items() if turn in texts}


def human_word(
    samples: Sequence[TranslatedSample], memory: VerifiedMemory, rejected: dict[str, Rejection]
) -> HumanWord:
    """The verified entries and rejections that these samples use, and no others."""
    verified = {
        (sample.sample_id, turn): word
        for sample in samples
        for turn, word in memory.of_sample(sample.sample_id, sample.source).items()
    }
    used = {}
    if rejected:
        for sample in samples:
            for turn in range(len(sample.source)):
                key = review_id(sample.sample_id, turn)
                if key in rejected:
                    used[key] = rejected[key]
    return HumanWord(verified, used)


def _digest(word: HumanWord) -> str:
    def said(item: tuple[TurnKey, Any]) -> list[Any]:
        (sample_id, turn), entry = item
        return [sample_id, turn, entry.text, entry.reviewer, entry.batch]

    rejected = [
        [key, one.translation, one.reviewer, one.batch, one.note]
        for key, one in sorted(word.rejected.items())
    ]
    return digest([sorted(map(said, word.verified.items())), rejected])


def _counts(refined: Sequence[RefinedSample]) -> dict[str, int]:
    counts = Counter(samples=len(refined), kept=0, flagged=0, turns=0, reviewed=0)
    for one in refined:
        counts["kept"] += one.kept
        counts["flagged"] += flagged(one.verdict)
        counts["turns"] += len(one.sample.source)
        counts["reviewed"] += sum(m.status is TurnStatus.VERIFIED for m in one.sample.meta)
        for verdict, findings in zip(one.turn_verdicts, one.findings, strict=True):
            counts[VERDICT_COUNT + verdict] += 1
            if flagged(verdict):
                reasons = {found.filter for found in findings if found.verdict is not Verdict.PASS}
                counts.update(REASON_COUNT + name for name in reasons)
    return dict(counts)
