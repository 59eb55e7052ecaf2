"""Pass two: TRANSLATED shards as a pure function of source shard, job and memory entries."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
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
from palo.shards import is_current, read_samples, to_row, write_shard
from translate.fill import shown
from translate.job import TranslationJob
from translate.segments import Segment

_meta_values = attrgetter(*(field.name for field in fields(TurnMeta)))  # as asdict, without copies
Cut = tuple[Segment, bytes]  # a turn's segment and its key, b"" where there is nothing to send
PERSON = "person"  # TurnMeta.engine of a verified turn; its signature is the reviewer


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
        rows = self._rows(read_samples(path))
        if rows is None:
            return False
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
            write_shard(target, [to_row(row) for row in rows], TRANSLATED, inputs, counts)
            self.written += 1
            self._wrote(target.name)
        self.turns += turns
        return True

    def _rows(self, samples: Sequence[Sample]) -> list[TranslatedSample] | None:
        """None where a turn is neither known nor copied."""
        words = [self._verified.of_sample(sample.sample_id, sample.turns) for sample in samples]
        said: list[list[str | None]] = [[] for _ in samples]
        cuts: list[Iterable[Cut]] = list(map(self._job.cuts, samples, said))
        machine: dict[bytes, Entry] = {}
        # a dialogue's keys are known only once the texts of the turns before are
        if self._job.settings.context is not Context.DIALOGUE:
            cuts = list(map(list, cuts))
            keys = {
                key: None
                for of_person, of_sample in zip(words, cuts, strict=True)
                for index, (_, key) in enumerate(of_sample)
                if key and index not in of_person
            }
            machine = self._memory.get(list(keys))
            if len(machine) < len(keys):
                return None
        rows = []
        for known in zip(samples, cuts, words, said, strict=True):
            row = self._row(*known, machine)
            if row is None:
                return None
            rows.append(row)
        return rows

    def _row(
        self,
        sample: Sample,
        cuts: Iterable[Cut],
        words: Mapping[int, VerifiedEntry],
        said: list[str | None],
        machine: dict[bytes, Entry],
    ) -> TranslatedSample | None:
        """The target turns of one sample; `said` gets them as a dialogue's later turns see them."""
        targets, metas = [], []
        heard: str | None
        for index, (cut, key) in enumerate(cuts):
            turn = sample.turns[index]
            if word := words.get(index):
                text, heard = cut.reframe(word.text), word.text
                meta = TurnMeta(TurnStatus.VERIFIED, 0, "stop", None, PERSON, word.reviewer, "", "")
            elif not key:
                text = heard = turn.text
                meta = TurnMeta(TurnStatus.COPIED, 0, "", None, "", "", "", "")
            else:
                entry = machine.get(key) or self._memory.get([key]).get(key)
                if entry is None:
                    return None
                text, heard, meta = cut.restore(entry.text), shown(cut, entry), _meta(entry)
                machine[key] = entry
                assert text.count(IMAGE_TAG) >= (cut.prefix + cut.suffix).count(IMAGE_TAG)
            said.append(heard)
            targets.append(Turn(turn.role, text))
            metas.append(meta)
        return TranslatedSample(
            sample_id=sample.sample_id,
            source_id=sample.source_id,
            lang=self._job.lang,
            image=sample.image,
            source=sample.turns,
            target=tuple(targets),
            meta=tuple(metas),
            origin=sample.origin,
        )


def _meta(entry: Entry) -> TurnMeta:
    return TurnMeta(
        entry.status,
        entry.attempts,
        entry.finish_reason,
        entry.mean_logprob,
        entry.engine,
        entry.signature,
        entry.key.hex(),
        entry.problem,
    )
