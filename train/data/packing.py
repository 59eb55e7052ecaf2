"""How many tokens each conversation has with the real tokenizer, and what is cut to make it fit;
which conversations a step has, and how they share rows: a pure function of lengths and seed.

A step is exactly `batch_size` conversations, as published; only then are they packed. Every process
gets as many rows of a step as any other, all about equally long, so none waits for another.
"""

import heapq
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from filelock import FileLock

from palo.errors import UserError
from palo.files import digest, read_json, replaced, write_json
from palo.settings import MixtureWeights
from palo.workers import default_processes, in_order
from train.data.mixture import Example, Mixture, draw
from train.data.template import BadConversation, Encoded, Span, Template, caption_spans, spans_of
from train.scale import Stage

ROW_MULTIPLE = 8  # rows end at a multiple of so many tokens: what matrix units like

VERSION = "1"  # of lengths
CHUNK_ROWS = 4096
PARALLEL_ROWS = 40_000  # starting processes takes seconds

Order = Callable[[int], np.ndarray]  # epoch -> conversations in the order they are learned


class Packing(NamedTuple):
    """What the rows of some steps are, and waste."""

    rows_a_step: float  # of one device
    padding_share: float  # of all places in the rows
    idle_share: float  # of all devices' time: waiting for a step's longest row


def row_places(tokens: int) -> int:
    """How long a row of so many tokens is once padded."""
    return math.ceil(tokens / ROW_MULTIPLE) * ROW_MULTIPLE


def pack(lengths: Sequence[int], row_tokens: int, world_size: int = 1) -> list[list[int]]:
    """Shares documents out over rows of at most `row_tokens`, evenly; indices into `lengths`.

    The number of rows is the smallest multiple of `world_size` that works: longest document first,
    each to the shortest row yet (LPT scheduling). A row may stay empty where there are fewer
    documents than processes. Row r is for process r % world_size.
    """
    longest = max(lengths, default=0)
    assert longest <= row_tokens, f"a document of {longest} tokens in rows of {row_tokens}"
    order = sorted(range(len(lengths)), key=lambda index: (-lengths[index], index))
    rounds = max(1, math.ceil(sum(lengths) / (row_tokens * world_size)))
    while True:
        rows: list[list[int]] = [[] for _ in range(rounds * world_size)]
        heap = [(0, row) for row in range(len(rows))]
        for index in order:
            filled, row = heapq.heappop(heap)
            rows[row].append(index)
            heapq.heappush(heap, (filled + lengths[index], row))
        if max(filled for filled, _ in heap) <= row_tokens:
            # rows that run side by side are neighbours by length, so that they end together
            rows.sort(key=lambda row: (-sum(lengths[index] for index in row), row))
            return [sorted(row) for row in rows]
        rounds += 1


class StepPlan:
    """All steps of a stage. `order(epoch)` must always give as many conversations. `lengths` are
    tokens a conversation, image tokens counted; 0 marks one that is never drawn."""

    def __init__(
        self, lengths: np.ndarray, order: Order, batch_size: int, row_tokens: int, total_steps: int
    ) -> None:
        self.lengths, self.row_tokens = lengths, row_tokens
        self.batch_size, self.total_steps = batch_size, total_steps
        self.drawn = lru_cache(maxsize=1)(order)
        self.steps_per_epoch = steps_per_epoch(len(self.drawn(0)), batch_size)

    def conversations(self, step: int) -> list[int]:
        """Indices of the step's conversations; the last step of an epoch may have fewer."""
        epoch, place = divmod(step, self.steps_per_epoch)
        start = place * self.batch_size
        return [int(index) for index in self.drawn(epoch)[start : start + self.batch_size]]

    def rows(self, step: int, world_size: int = 1) -> list[list[int]]:
        """The step's rows, each a list of conversations; row r is for process r % world_size."""
        chosen = self.conversations(step)
        packed = pack([int(self.lengths[index]) for index in chosen], self.row_tokens, world_size)
        return [[chosen[place] for place in row] for row in packed]

    def packing(self, steps: Sequence[int], world_size: int = 1) -> Packing:
        rows = tokens = places = idle = 0
        for step in steps:
            packed = self.rows(step, world_size)
            filled = [sum(int(self.lengths[index]) for index in row) for row in packed]
            # those of a row of this array run side by side
            padded = np.array([row_places(count) for count in filled]).reshape(-1, world_size)
            rows, tokens, places = rows + len(packed), tokens + sum(filled), places + padded.sum()
            idle += (padded.max(axis=1, keepdims=True) - padded).sum()
        rows_a_step = rows / len(steps) / world_size
        if not places:
            return Packing(rows_a_step, 0.0, 0.0)
        return Packing(rows_a_step, float(1 - tokens / places), float(idle / (places + idle)))


def steps_per_epoch(num_conversations: int, batch_size: int) -> int:
    return max(1, math.ceil(num_conversations / batch_size))


def total_steps(stage: Stage, num_conversations: int) -> int:
    """Optimizer steps of the stage."""
    if stage.max_steps > 0:
        return stage.max_steps
    return math.ceil(stage.epochs * steps_per_epoch(num_conversations, stage.batch_size))


def plan_mixture(
    mixture: Mixture, lengths: np.ndarray, stage: Stage, weights: MixtureWeights, seed: int
) -> StepPlan:
    """The stage's steps over the conversations that have a length."""
    order = partial(draw, mixture.langs, mixture.languages, lengths > 0, weights, seed)
    steps = total_steps(stage, len(order(0)))
    return StepPlan(lengths, order, stage.batch_size, stage.row_tokens, steps)


class Unusable(NamedTuple):
    """A conversation that is never trained on."""

    sample_id: str
    lang: str
    reason: str


@dataclass
class CutCount:
    """What the limit on tokens cost one language."""

    conversations: int = 0  # of the language
    cut: int = 0
    unusable: int = 0
    rounds_dropped: int = 0
    tokens_dropped: int = 0
    supervised_dropped: int = 0  # of them in answers

    def add(self, other: "CutCount") -> None:
        for name, count in vars(other).items():
            setattr(self, name, getattr(self, name) + count)


@dataclass
class Lengths:
    """Of all rows of a mixture, or of some in a row.

    `tokens`: int32, of every row after cutting, image tokens counted; 0: unusable. `refused` are
    those of `unusable` whose image name leads out of the images' folder.
    """

    tokens: np.ndarray
    unusable: list[Unusable]
    refused: list[Unusable]
    cut: dict[str, CutCount]

    def leave_out(self, example: Example, reason: str) -> None:
        row = Unusable(example.sample_id, example.lang, reason)
        self.unusable.append(row)
        if example.refused:
            self.refused.append(row)
        self.cut[example.lang].unusable += 1


@dataclass(frozen=True)
class Measure:
    """The limits that examples are measured against; pickles into worker processes."""

    template: Template
    image_tokens: int
    max_length: int
    as_captions: bool

    def encode(self, example: Example) -> Encoded:
        """The example as it is trained on. Raises BadConversation."""
        return self.template.fit(self.rounds(example), self.max_length, self.image_tokens)

    def rounds(self, example: Example) -> list[list[Span]]:
        """Raises BadConversation."""
        if example.refused:
            raise BadConversation(example.refused)
        if not self.as_captions:
            return spans_of(example.turns, example.image is not None)
        if example.image is None or len(example.turns) < 2:
            raise BadConversation("a caption needs an image and a text")
        return caption_spans(example.turns[1].text)


def measure(
    examples: Mixture,
    how: Measure,
    processes: int | None = None,
    tick: Callable[[int], object] = lambda _: None,
) -> Lengths:
    """Lengths of a mixture, kept beside its cache as one number a row, so that plans read no text;
    the same for any number of `processes` (None: one a core, where there are many rows)."""
    size = len(examples)
    key = digest([VERSION, how.template.digest, how.image_tokens, how.max_length, how.as_captions])
    path = examples.path.with_name(f"{examples.path.stem}-{key}.npy")
    if (kept := _read(path, size)) is not None:
        return kept
    with FileLock(path.with_name(".lengths.lock")):  # one measures, the others wait for it
        if (kept := _read(path, size)) is None:
            from accelerate.utils import patch_environment

            chunks = [range(at, min(at + CHUNK_ROWS, size)) for at in range(0, size, CHUNK_ROWS)]
            if size < PARALLEL_ROWS:
                processes = 1
            processes = min(processes or default_processes(), len(chunks))
            begin = partial(_start, examples, how)
            # its own threads are slower than one for short texts, and warn at later forks
            with patch_environment(TOKENIZERS_PARALLELISM="false"):
                parts = in_order(_measured_here, chunks, processes, "counted tokens", prepare=begin)
                _write(path, examples, parts, tick)
            kept = _read(path, size)
    assert kept is not None
    return kept


_here: tuple[Mixture, Measure]  # of a worker process


def _start(examples: Mixture, how: Measure) -> None:
    global _here
    _here = (examples, how)


def _measured_here(chunk: range) -> Lengths:
    """Spans of all rows are counted at once, which is quick; what does not fit is encoded."""
    examples, how = _here
    part = Lengths(np.zeros(len(chunk), np.int32), [], [], {})
    rows, spans, counts = [], [], []
    for index in chunk:
        example = examples[index]
        part.cut.setdefault(example.lang, CutCount()).conversations += 1
        try:
            its_spans = [span for said in how.rounds(example) for span in said]
        except BadConversation as error:
            part.leave_out(example, str(error))
            continue
        rows.append((index, example))
        spans += its_spans
        counts.append(len(its_spans))
    ends = np.cumsum(counts)
    summed = np.concatenate([[0], np.cumsum(how.template.span_lengths(spans, how.image_tokens))])
    for (index, example), end, count in zip(rows, ends, counts, strict=True):
        length = 1 + int(summed[end] - summed[end - count])
        if how.max_length and length > how.max_length:
            try:
                encoded = how.encode(example)
            except BadConversation as error:
                part.leave_out(example, str(error))
                continue
            dropped = (encoded.rounds_dropped, encoded.tokens_dropped, encoded.supervised_dropped)
            part.cut[example.lang].add(CutCount(0, 1, 0, *dropped))
            length = encoded.length(how.image_tokens)
        part.tokens[index - chunk.start] = length
    return part


def _write(
    path: Path, examples: Mixture, parts: Iterable[Lengths], tick: Callable[[int], object]
) -> None:
    """The JSON last: without it, the numbers beside it do not count."""
    whole = Lengths(np.empty(0, np.int32), [], [], {lang: CutCount() for lang in examples.counts})
    tokens = [whole.tokens]
    for part in parts:
        tokens.append(part.tokens)
        whole.unusable += part.unusable
        whole.refused += part.refused
        for lang, count in part.cut.items():
            whole.cut[lang].add(count)
        tick(len(part.tokens))
    with replaced(path) as temporary, temporary.open("wb") as file:
        np.save(file, np.concatenate(tokens))
    cut = {lang: asdict(count) for lang, count in whole.cut.items()}
    about = {"unusable": whole.unusable, "refused": whole.refused, "cut": cut}
    write_json(path.with_suffix(".json"), about)


def _read(path: Path, num_rows: int) -> Lengths | None:
    """None where nothing whole is there."""
    try:
        about = read_json(path.with_suffix(".json"))
        tokens = np.load(path, mmap_mode="r")
    except (OSError, EOFError, UserError, ValueError):
        return None
    if tokens.shape != (num_rows,):
        return None
    unusable, refused = ([Unusable(*row) for row in about[key]] for key in ("unusable", "refused"))
    cut = {lang: CutCount(**count) for lang, count in about["cut"].items()}
    return Lengths(tokens, unusable, refused, cut)
