"""Conversations whose turns wait for the translations of the turns before (`context: dialogue`)."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from palo.memory import Entry
from palo.schemas import Sample, TurnStatus
from palo.settings import Context
from translate.job import Job
from translate.segments import Segment, segment

Word = Callable[[Sample, int], str | None]  # a person's text for a turn
Find = Callable[[bytes], Entry | None]


@dataclass
class _Talk:
    """A conversation, translated up to `len(said)` turns."""

    sample: Sample
    said: list[str | None] = field(default_factory=list)


class Conversations:
    """Knows which turn of which conversation can be asked next; holds only those under way.

    `copied` and `reused` count the turns that needed no request.
    """

    def __init__(self, job: Job, word: Word, find: Find) -> None:
        self._job, self._word, self._find = job, word, find
        self.copied = self.reused = 0
        self._waiting: dict[bytes, list[_Talk]] = defaultdict(list)

    def begin(self, sample: Sample) -> Iterator[tuple[bytes, Segment]]:
        """The first turn whose translation is not known, unless another conversation waits for
        the same; nothing where all are."""
        yield from self._advance(_Talk(sample))

    def goes_on(self, entry: Entry) -> Iterator[tuple[bytes, Segment]]:
        """What can be asked now that `entry` is there."""
        talks = self._waiting.pop(entry.key, [])
        self.reused += max(0, len(talks) - 1)
        for talk in talks:
            found = self._segment(talk)
            talk.said.append(shown(found, entry))
            yield from self._advance(talk)

    def _advance(self, talk: _Talk) -> Iterator[tuple[bytes, Segment]]:
        sample, said = talk.sample, talk.said
        while len(said) < len(sample.turns):
            found = self._segment(talk)
            if (word := self._word(sample, len(said))) is not None:
                said.append(word)
                self.reused += 1
                continue
            if found.copied:
                self.copied += 1
                said.append(sample.turns[len(said)].text)
                continue
            key = self._job.key(found)
            entry = self._find(key)
            if entry is None:
                first = key not in self._waiting
                self._waiting[key].append(talk)
                if first:
                    yield key, found
                return
            self.reused += 1
            said.append(shown(found, entry))

    def _segment(self, talk: _Talk) -> Segment:
        return segment(talk.sample.turns, len(talk.said), Context.DIALOGUE, talk.said)


def shown(found: Segment, entry: Entry) -> str | None:
    """The turn's text as later turns see it; a failed one would only lead them astray."""
    return None if entry.status is TurnStatus.FAILED else found.restore(entry.text)
