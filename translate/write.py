"""Pass two: TRANSLATED shards as a pure function of source shard, job and memory entries."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from operator import attrgetter
from pathlib import Path

from palo.files import digest, file_digest
from palo.memory import Entry, TranslationMemory, VerifiedEntry, VerifiedMemory
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
from translate.fill import shown
from translate.job import TranslationJob
from translate.segments import Segment, segment

_meta_values = attrgetter(*(field.name for field in fields(TurnMeta)))  # as asdict, without copies
PERSON = "person"  # TurnMeta.engine of a verified turn; its signature is the reviewer


Cut = tuple[Segment, bytes]  # a turn's segment and its key, b"" where there is nothing to send


@dataclass(frozen=True)
class _Known:
    """What the memories say of one shard's turns: their segments, by the sample's place in it, the
    machine's entries, and people's by sample id and turn."""

    cuts: Sequence[Sequence[Cut]]
    machine: Mapping[bytes, Entry]
    verified: Mapping[tuple[str, int], VerifiedEntry]


class Writer:
    """Writes the shards of one language that are not up to date.

    `wrote` is told the name of each; `turns` counts those of all shards so far, up to date or not.
    """

    def __init__(
        self,
        job: TranslationJob,
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
        in_dialogue = self._job.settings.context is Context.DIALOGUE
        known = self._known_dialogues(samples) if in_dialogue else self._known(samples)
        if known is None:
            return False
        rows = [
            _translated(sample, self._job.lang, cuts, known)
            for sample, cuts in zip(samples, known.cuts, strict=True)
        ]
        # what the memories said: texts and how they came about
        entries = digest(
            [
                [turn.text, _meta_values(meta)]
                for row in rows
                for turn, meta in zip(row.target, row.meta, strict=True)
            ]
        )
        inputs = {"source": file_digest(path), "entries": entries, **self._job.inputs}
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

    def _known(self, samples: Sequence[Sample]) -> _Known | None:
        """None where a turn is neither known nor copied."""
        verified = self._words(samples)
        context = self._job.settings.context
        cuts = [
            [self._cut(segment(sample.turns, at, context)) for at in range(len(sample.turns))]
            for sample in samples
        ]
        keys = {
            key: None
            for sample, of_sample in zip(samples, cuts, strict=True)
            for index, (_, key) in enumerate(of_sample)
            if key and (sample.sample_id, index) not in verified
        }
        machine = self._memory.get(list(keys))
        return _Known(cuts, machine, verified) if len(machine) == len(keys) else None

    def _known_dialogues(self, samples: Sequence[Sample]) -> _Known | None:
        """A turn's key is known only once the text of the turn before is, so they come one by
        one."""
        verified = self._words(samples)
        machine: dict[bytes, Entry] = {}
        cuts: list[list[Cut]] = []
        for sample in samples:
            said: list[str | None] = []
            cuts.append([])
            for index, turn in enumerate(sample.turns):
                cut, key = self._cut(segment(sample.turns, index, Context.DIALOGUE, said))
                cuts[-1].append((cut, key))
                if word := verified.get((sample.sample_id, index)):
                    said.append(word.text)
                elif not key:
                    said.append(turn.text)
                else:
                    machine |= self._memory.get([key]) if key not in machine else {}
                    if key not in machine:
                        return None
                    said.append(shown(cut, machine[key]))
        return _Known(cuts, machine, verified)

    def _cut(self, cut: Segment) -> Cut:
        return cut, b"" if cut.copied else self._job.key(cut)

    def _words(self, samples: Sequence[Sample]) -> dict[tuple[str, int], VerifiedEntry]:
        return {
            (sample.sample_id, index): word
            for sample in samples
            for index, word in self._verified.of_sample(sample.sample_id, sample.turns).items()
        }


def _translated(sample: Sample, lang: str, cuts: Sequence[Cut], known: _Known) -> TranslatedSample:
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
    sample: Sample, index: int, cut: Segment, key: bytes, known: _Known
) -> tuple[str, TurnMeta]:
    if word := known.verified.get((sample.sample_id, index)):
        meta = TurnMeta(TurnStatus.VERIFIED, 0, "stop", None, PERSON, word.reviewer, "", "")
        return cut.reframe(word.text), meta
    if not key:
        meta = TurnMeta(TurnStatus.COPIED, 0, "", None, "", "", "", "")
        return sample.turns[index].text, meta
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
    text = cut.restore(entry.text)
    assert text.count(IMAGE_TAG) >= (cut.prefix + cut.suffix).count(IMAGE_TAG)
    return text, meta
