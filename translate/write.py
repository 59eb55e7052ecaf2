"""Pass two: TRANSLATED shards as a pure function of source shard, job and memory entries."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from operator import attrgetter
from pathlib import Path

from palo.memory import Entry, TranslationMemory, VerifiedEntry, VerifiedMemory, english_context
from palo.schemas import (
    IMAGE_TAG,
    TRANSLATED,
    Sample,
    TranslatedSample,
    Turn,
    TurnMeta,
    TurnStatus,
)
from palo.settings.translate import Context
from palo.shards import (
    digest,
    file_digest,
    is_current,
    read_samples,
    translated_to_row,
    write_shard,
)
from translate.job import Job
from translate.segments import Segment, segment

_meta_values = attrgetter(*(one.name for one in fields(TurnMeta)))  # as asdict, without its copies
PERSON = "person"  # TurnMeta.engine of a verified turn; its signature is the reviewer


@dataclass
class Audit:
    """The end-of-run account: every source turn is in exactly one status."""

    samples: int = 0
    turns: int = 0
    shards: int = 0
    written: int = 0  # shards that were not up to date
    by_status: Counter[str] = field(default_factory=Counter)
    problems: Counter[str] = field(default_factory=Counter)
    duplicate_ids: int = 0

    @property
    def balanced(self) -> bool:
        return self.turns == self.by_status.total() and not self.duplicate_ids


@dataclass(frozen=True)
class Known:
    """What the memories say of one shard's turns."""

    machine: Mapping[bytes, Entry]
    verified: Mapping[tuple[str, int], VerifiedEntry]


def write_shards(
    job: Job,
    sources: Sequence[Path],
    folder: Path,
    memory: TranslationMemory,
    verified: VerifiedMemory,
) -> Audit:
    """Writes what is not up to date and accounts for every turn of every source shard."""
    audit = Audit(shards=len(sources))
    ids: set[str] = set()
    for path in sources:
        samples = read_samples(path)
        known = _known(job, samples, memory, verified)
        rows = [translate_sample(sample, job, known) for sample in samples]
        _account(audit, rows, ids)
        inputs = {"source": file_digest(path), "entries": _used(rows), **job.inputs}
        target = folder / path.name
        if not is_current(target, inputs):
            counts = {"samples": len(rows), "turns": sum(len(row.target) for row in rows)}
            write_shard(
                target, [translated_to_row(row) for row in rows], TRANSLATED, inputs, counts
            )
            audit.written += 1
    return audit


def translate_sample(sample: Sample, job: Job, known: Known) -> TranslatedSample:
    """The target turns of one sample; every one of them must be known or copied."""
    made: list[tuple[str, TurnMeta]] = []
    said: list[str | None] = []
    for index in range(len(sample.turns)):
        found = segment(sample.turns, index, job.settings.context, said)
        text, meta = _turn(sample, index, found, job, known)
        made.append((text, meta))
        said.append(None if meta.status is TurnStatus.FAILED else text)
    targets = tuple(
        Turn(turn.role, text) for turn, (text, _) in zip(sample.turns, made, strict=True)
    )
    return TranslatedSample(
        sample_id=sample.sample_id,
        source_id=sample.source_id,
        lang=job.lang,
        image=sample.image,
        source=sample.turns,
        target=targets,
        meta=tuple(meta for _, meta in made),
        origin=sample.origin,
    )


def _turn(
    sample: Sample, index: int, found: Segment, job: Job, known: Known
) -> tuple[str, TurnMeta]:
    source = sample.turns[index].text
    if word := known.verified.get((sample.sample_id, index)):
        meta = TurnMeta(TurnStatus.VERIFIED, 0, "stop", None, PERSON, word.reviewer, "", "")
        return found.reframe(word.text), meta
    if found.copied:
        return source, TurnMeta(TurnStatus.COPIED, 0, "", None, "", "", "", "")
    key = job.key(found)
    entry = known.machine[key]
    meta = TurnMeta(
        entry.status,
        entry.attempts,
        entry.finish_reason,
        entry.mean_logprob,
        entry.engine,
        entry.signature,
        key.hex(),
        entry.problem,
    )
    text = found.restore(entry.text)
    assert text.count(IMAGE_TAG) >= (found.prefix + found.suffix).count(IMAGE_TAG)
    return text, meta


def _known(
    job: Job, samples: Sequence[Sample], memory: TranslationMemory, verified: VerifiedMemory
) -> Known:
    words: dict[tuple[str, int], VerifiedEntry] = {}
    if verified.count():
        for sample in samples:
            for index, turn in enumerate(sample.turns):
                context = english_context(sample.turns, index)
                if word := verified.find(sample.sample_id, index, turn.text, context):
                    words[sample.sample_id, index] = word
    if job.settings.context is Context.DIALOGUE:
        return Known(_Lookup(memory), words)
    keys: dict[bytes, None] = {}
    for sample in samples:
        for index in range(len(sample.turns)):
            if (sample.sample_id, index) in words:
                continue
            found = segment(sample.turns, index, job.settings.context)
            if not found.copied:
                keys[job.key(found)] = None
    return Known(memory.get(list(keys)), words)


class _Lookup(dict[bytes, Entry]):
    """In a dialogue a turn's key is known only after the turn before, so they come one by one."""

    def __init__(self, memory: TranslationMemory) -> None:
        super().__init__()
        self._memory = memory

    def __missing__(self, key: bytes) -> Entry:
        return self._memory.get([key])[key]


def _used(rows: Sequence[TranslatedSample]) -> str:
    """Digest of what the memories said: texts and how they came about."""
    return digest(
        [
            [turn.text, _meta_values(meta)]
            for row in rows
            for turn, meta in zip(row.target, row.meta, strict=True)
        ]
    )


def _account(audit: Audit, rows: Sequence[TranslatedSample], ids: set[str]) -> None:
    for row in rows:
        audit.samples += 1
        audit.turns += len(row.source)
        audit.duplicate_ids += row.sample_id in ids
        ids.add(row.sample_id)
        audit.by_status.update(str(meta.status) for meta in row.meta)
        # by kind: what comes after the colon differs from row to row
        failed = (meta.problem for meta in row.meta if meta.status is TurnStatus.FAILED)
        audit.problems.update(problem.partition(":")[0] for problem in failed)
