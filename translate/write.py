"""Pass two: TRANSLATED shards as a pure function of source shard, job and memory entries."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from operator import attrgetter
from pathlib import Path

from palo.files import digest, file_digest
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
from palo.settings import Context
from palo.shards import is_current, read_samples, translated_to_row, write_shard
from translate.dialogue import shown
from translate.job import Job
from translate.segments import Segment, segment

_meta_values = attrgetter(*(one.name for one in fields(TurnMeta)))  # as asdict, without its copies
PERSON = "person"  # TurnMeta.engine of a verified turn; its signature is the reviewer


Words = Mapping[tuple[str, int], VerifiedEntry]  # by sample id and turn
Cut = tuple[Segment, bytes]  # a turn's segment and its key, b"" where there is nothing to send


@dataclass(frozen=True)
class Known:
    """What the memories say of one shard's turns; `cuts` go by the sample's place in it."""

    cuts: Sequence[Sequence[Cut]]
    machine: Mapping[bytes, Entry]
    verified: Words
    whole: bool  # no turn is neither known nor copied


class Writer:
    """Writes the shards of one language that are not up to date.

    `wrote` is told the name of each; `turns` counts those of all shards so far, up to date or not.
    """

    def __init__(
        self,
        job: Job,
        folder: Path,
        memory: TranslationMemory,
        verified: VerifiedMemory,
        wrote: Callable[[str], None] = lambda name: None,
    ) -> None:
        self._job = job
        self._folder = folder
        self._memory = memory
        self._verified = verified
        self._wrote = wrote
        self.turns = 0
        self.written = 0

    def again(self, path: Path) -> bool:
        """Takes a shard that an earlier run wrote, if nothing of it needs to be sent any more."""
        return (self._folder / path.name).is_file() and self.write(path)

    def write(self, path: Path) -> bool:
        """False, and nothing is done, where no memory holds a segment of the source shard."""
        samples = read_samples(path)
        known = _known(self._job, samples, self._memory, self._verified)
        if not known.whole:
            return False
        rows = [
            translate_sample(sample, self._job.lang, cuts, known)
            for sample, cuts in zip(samples, known.cuts, strict=True)
        ]
        inputs = {"source": file_digest(path), "entries": _used(rows), **self._job.inputs}
        target = self._folder / path.name
        turns = sum(len(row.target) for row in rows)
        if not is_current(target, inputs):
            counts = {"samples": len(rows), "turns": turns}
            write_shard(
                target, [translated_to_row(row) for row in rows], TRANSLATED, inputs, counts
            )
            self.written += 1
            self._wrote(target.name)
        self.turns += turns
        return True


def translate_sample(
    sample: Sample, lang: str, cuts: Sequence[Cut], known: Known
) -> TranslatedSample:
    """The target turns of one sample; every one of them must be known or copied."""
    made = [_turn(sample, index, *cut, known) for index, cut in enumerate(cuts)]
    targets = tuple(
        Turn(turn.role, text) for turn, (text, _) in zip(sample.turns, made, strict=True)
    )
    return TranslatedSample(
        sample_id=sample.sample_id,
        source_id=sample.source_id,
        lang=lang,
        image=sample.image,
        source=sample.turns,
        target=targets,
        meta=tuple(meta for _, meta in made),
        origin=sample.origin,
    )


def _turn(
    sample: Sample, index: int, found: Segment, key: bytes, known: Known
) -> tuple[str, TurnMeta]:
    source = sample.turns[index].text
    if word := known.verified.get((sample.sample_id, index)):
        meta = TurnMeta(TurnStatus.VERIFIED, 0, "stop", None, PERSON, word.reviewer, "", "")
        return found.reframe(word.text), meta
    if not key:
        return source, TurnMeta(TurnStatus.COPIED, 0, "", None, "", "", "", "")
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
    words = _words(samples, verified)
    if job.settings.context is Context.DIALOGUE:
        return _known_dialogues(job, samples, memory, words)
    cuts = [_cut(sample, job) for sample in samples]
    keys = {
        key: None
        for sample, of_sample in zip(samples, cuts, strict=True)
        for index, (_, key) in enumerate(of_sample)
        if key and (sample.sample_id, index) not in words
    }
    machine = memory.get(list(keys))
    return Known(cuts, machine, words, whole=len(machine) == len(keys))


def _words(samples: Sequence[Sample], verified: VerifiedMemory) -> Words:
    words: dict[tuple[str, int], VerifiedEntry] = {}
    if not verified.count():
        return words
    for sample in samples:
        for index, turn in enumerate(sample.turns):
            context = english_context(sample.turns, index)
            if word := verified.find(sample.sample_id, index, turn.text, context):
                words[sample.sample_id, index] = word
    return words


def _cut(sample: Sample, job: Job) -> list[Cut]:
    found = [segment(sample.turns, at, job.settings.context) for at in range(len(sample.turns))]
    return [(one, b"" if one.copied else job.key(one)) for one in found]


def _known_dialogues(
    job: Job, samples: Sequence[Sample], memory: TranslationMemory, words: Words
) -> Known:
    """A turn's key is known only once the text of the turn before is, so they come one by one."""
    machine: dict[bytes, Entry] = {}
    cuts: list[list[Cut]] = []
    for sample in samples:
        said: list[str | None] = []
        made: list[Cut] = []
        for index, turn in enumerate(sample.turns):
            found = segment(sample.turns, index, Context.DIALOGUE, said)
            key = b"" if found.copied else job.key(found)
            made.append((found, key))
            if word := words.get((sample.sample_id, index)):
                said.append(word.text)
            elif not key:
                said.append(turn.text)
            else:
                machine |= memory.get([key]) if key not in machine else {}
                if key not in machine:
                    return Known(cuts, machine, words, whole=False)
                said.append(shown(found, machine[key]))
        cuts.append(made)
    return Known(cuts, machine, words, whole=True)


def _used(rows: Sequence[TranslatedSample]) -> str:
    """Digest of what the memories said: texts and how they came about."""
    return digest(
        [
            [turn.text, _meta_values(meta)]
            for row in rows
            for turn, meta in zip(row.target, row.meta, strict=True)
        ]
    )
