"""Pass one: sends every segment that no memory holds through the engine, into the memory.

One stream over all shards, so no shard's end ever drains the engine. Equal segments are sent
once. Results are committed in small batches: a killed run loses at most the last moment.
"""

import time
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from palo.engines.stream import Engine, Request, Result
from palo.files import timestamp
from palo.memory import Entry, Memories, VerifiedEntry
from palo.schemas import Sample, TurnStatus
from palo.settings import Context
from palo.shards import read_samples
from translate.job import Cut, TranslationJob
from translate.segments import Segment
from translate.validate import Problem, find_problem

COMMIT_ENTRIES = 256
_COMMIT_S = 1.0


@dataclass
class Work:
    """A segment on its way; `best` is its best failed attempt so far, `wrong` its last."""

    segment: Segment
    key: bytes
    attempt: int = 0
    wrong: Problem | None = None
    best: tuple[Problem, Result] | None = None


@dataclass
class _Dialogue:
    """A conversation, translated up to `len(said)` turns; `cuts` are the turns to come."""

    sample: Sample
    verified: dict[int, VerifiedEntry]
    said: list[str | None]
    cuts: Iterator[Cut]


@dataclass
class FillCounts:
    """`sent` counts segments, `retried` the attempts after the first.

    Of the `turns` read so far `copied` have nothing to translate, `reused` are in a memory or equal
    to one that is on its way, and `wanted` need a request; of those `finished` have their entry.
    `turns_with_work` are the turns of shards that wanted something: what was done before a restart
    says nothing of what is left.
    """

    sent: int = 0
    retried: int = 0
    prompt_tokens: int = 0
    output_tokens: int = 0
    turns: int = 0
    copied: int = 0
    reused: int = 0
    wanted: int = 0
    finished: int = 0
    turns_with_work: int = 0
    problems: Counter[str] = field(default_factory=Counter)

    def read(self, turns: int, copied: int, wanted: int) -> None:
        self.turns += turns
        self.copied += copied
        self.wanted += wanted
        self.reused += turns - copied - wanted
        self.turns_with_work += turns if wanted else 0

    def settle(self, copied: int = 0, reused: int = 0) -> None:
        """Of a dialogue only the turns themselves tell, one by one, what needs no request."""
        self.copied += copied
        self.reused += reused
        self.wanted -= copied + reused


@dataclass
class Filler:
    """Fills the memory for one language. `watch` is called after every shard read and every answer.
    `only` leaves out all other keys."""

    job: TranslationJob
    memories: Memories
    watch: Callable[[FillCounts], None] = lambda counts: None
    only: Collection[bytes] | None = None
    counts: FillCounts = field(default_factory=FillCounts)
    _open: dict[bytes, Work] = field(default_factory=dict)  # sent and not yet committed
    _ready: deque[Work] = field(default_factory=deque)  # to be sent before anything new is begun
    _done: dict[bytes, Entry] = field(default_factory=dict)  # not yet committed
    # with `context: dialogue`, conversations under way by the key of the translation they wait for
    _dialogues: dict[bytes, list[tuple[_Dialogue, Segment]]] = field(default_factory=dict)
    _committed_at: float = field(default_factory=time.monotonic)
    _engine_kind: str = ""

    def run(self, shards: Iterable[Path], engine: Engine) -> FillCounts:
        """Returns when every segment of the shards is in a memory."""
        requests, self._engine_kind = self._requests(shards), engine.kind
        try:
            while True:
                first = next(requests, None)  # an engine without work need not even load
                if first is None and not self._ready:
                    return self.counts
                begun = [first] if first else []
                for result in engine.stream(chain(begun, requests, self._ready_requests())):
                    self._take(result)
        finally:
            self._commit()  # also on Ctrl-C: what arrived is kept

    def _requests(self, shards: Iterable[Path]) -> Iterator[Request]:
        in_dialogue = self.job.settings.context is Context.DIALOGUE
        for path in shards:
            samples = read_samples(path)
            for work in self._begun(samples) if in_dialogue else self._missing(samples):
                yield from self._ready_requests()
                yield self._request(work)

    def _ready_requests(self) -> Iterator[Request]:
        while self._ready:
            yield self._request(self._ready.popleft())

    def _request(self, work: Work) -> Request:
        if work.attempt:
            self.counts.retried += 1
        else:
            self.counts.sent += 1
        return self.job.request(work.segment, work.key, work.attempt, work.wrong)

    def _missing(self, samples: Sequence[Sample]) -> Iterator[Work]:
        """The segments of a shard that are neither in a memory nor on their way, each once. What is
        on its way when the shard is read is in `_open` until it is committed, and what is committed
        is found by `has`; so no segment is sent twice."""
        wanted: dict[bytes, Segment] = {}
        copied = 0
        for sample in samples:
            words = self.memories.verified.of_sample(sample.sample_id, sample.turns)
            for index, (cut, key) in enumerate(self.job.cuts(sample)):
                copied += not key
                if not key or index in words or key in self._open:
                    continue
                if self.only is None or key in self.only:
                    wanted.setdefault(key, cut)
        for key in self.memories.machine.has(list(wanted)):
            del wanted[key]
        self.counts.read(sum(len(sample.turns) for sample in samples), copied, len(wanted))
        self.watch(self.counts)
        for key, cut in wanted.items():
            work = self._open[key] = Work(cut, key)
            yield work

    def _begun(self, samples: Sequence[Sample]) -> Iterator[Work]:
        """The first missing turn of each conversation; the others follow once that is there."""
        turns = sum(len(sample.turns) for sample in samples)
        self.counts.read(turns, 0, turns)  # until they turn out to need no request
        for sample in samples:
            words = self.memories.verified.of_sample(sample.sample_id, sample.turns)
            said: list[str | None] = []
            yield from self._advance(_Dialogue(sample, words, said, self.job.cuts(sample, said)))
            self.watch(self.counts)

    def _advance(self, dialogue: _Dialogue) -> Iterator[Work]:
        """The next turn whose translation is not known, unless another conversation waits for the
        same; nothing where all are."""
        said = dialogue.said
        for cut, key in dialogue.cuts:
            if word := dialogue.verified.get(len(said)):
                said.append(word.text)
                self.counts.settle(reused=1)
                continue
            if not key:
                said.append(dialogue.sample.turns[len(said)].text)
                self.counts.settle(copied=1)
                continue
            entry = self._done.get(key) or self.memories.machine.get([key]).get(key)
            if entry is None:
                first = key not in self._dialogues
                self._dialogues.setdefault(key, []).append((dialogue, cut))
                if first:
                    work = self._open[key] = Work(cut, key)
                    yield work
                return
            said.append(shown(cut, entry))
            self.counts.settle(reused=1)

    def _take(self, result: Result) -> None:
        work = self._open[bytes.fromhex(result.tag)]
        self.counts.prompt_tokens += result.prompt_tokens
        self.counts.output_tokens += result.output_tokens
        problem = find_problem(work.segment, result, self.job.lang)
        work.attempt += 1
        work.wrong = problem
        if problem and (work.best is None or problem.rank > work.best[0].rank):
            work.best = (problem, result)
        # an engine's refusal (prompt too long, died twice on it) would only come again
        if problem is None:
            self._finish(work, None, result)
        elif problem is Problem.ENGINE or work.attempt >= self.job.settings.max_attempts:
            assert work.best is not None
            self._finish(work, *work.best)
        else:
            self._ready.append(work)
        self.watch(self.counts)

    def _finish(self, work: Work, problem: Problem | None, result: Result) -> None:
        self.counts.finished += 1
        why = ""
        if problem is not None:
            self.counts.problems[str(problem)] += 1
            why = f"{problem}: {result.error}" if result.error else str(problem)
        entry = Entry(
            key=work.key,
            source=work.segment.text,
            context=work.segment.before.english,
            text=result.text.strip(),
            status=TurnStatus.FAILED if problem else TurnStatus.TRANSLATED,
            finish_reason=result.finish_reason,
            mean_logprob=result.mean_logprob,
            attempts=work.attempt,
            engine=self._engine_kind,
            signature=self.job.signature,
            prompt_version=self.job.version,
            problem=why,
            created=timestamp(),
        )
        self._done[entry.key] = entry
        waiting = self._dialogues.pop(entry.key, [])
        self.counts.settle(reused=max(0, len(waiting) - 1))
        for dialogue, cut in waiting:
            dialogue.said.append(shown(cut, entry))
            self._ready += self._advance(dialogue)
        if len(self._done) >= COMMIT_ENTRIES or time.monotonic() - self._committed_at >= _COMMIT_S:
            self._commit()

    def _commit(self) -> None:
        if self._done:
            self.memories.machine.put(list(self._done.values()))
        for key in self._done:
            del self._open[key]
        self._done = {}
        self._committed_at = time.monotonic()


def shown(cut: Segment, entry: Entry) -> str | None:
    """The turn's text as later turns of a dialogue see it; a failed one would lead them astray."""
    return None if entry.status is TurnStatus.FAILED else cut.restore(entry.text)
