"""Which conversations a step has, and how they share rows: a pure function of lengths and seed.

A step is exactly `batch_size` conversations, as published; only then are they packed. Every process
gets as many rows of a step as any other, all about equally long, so none waits for another.
"""

import heapq
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

ROW_MULTIPLE = 8  # rows end at a multiple of so many tokens: what matrix units like

Order = Callable[[int], np.ndarray]  # epoch -> conversations in the order they are learned


@dataclass(frozen=True)
class Packing:
    """What the rows of some steps hold; shares are of all places in the rows."""

    tokens: int  # of documents
    places: int  # tokens and padding
    idle: int  # places by which rows of a step are shorter than its longest

    @property
    def padding_share(self) -> float:
        return 1 - self.tokens / self.places if self.places else 0.0

    @property
    def idle_share(self) -> float:
        """Of the time of all devices, what is spent waiting for the longest row."""
        return self.idle / (self.places + self.idle) if self.places else 0.0


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
        rows = _share_out(lengths, order, rounds * world_size)
        if max(sum(lengths[index] for index in row) for row in rows) <= row_tokens:
            return rows
        rounds += 1


def _share_out(lengths: Sequence[int], order: Sequence[int], num_rows: int) -> list[list[int]]:
    rows: list[list[int]] = [[] for _ in range(num_rows)]
    heap = [(0, row) for row in range(num_rows)]
    for index in order:
        filled, row = heapq.heappop(heap)
        rows[row].append(index)
        heapq.heappush(heap, (filled + lengths[index], row))
    # rows that run side by side are neighbours by length, so that they end together
    rows.sort(key=lambda row: (-sum(lengths[index] for index in row), row))
    return [sorted(row) for row in rows]


class StepPlan:
    """All steps of a stage. `order(epoch)` must always give as many conversations.

    `lengths` are tokens a conversation, image tokens counted; 0 marks one that is never drawn.
    """

    def __init__(
        self, lengths: np.ndarray, order: Order, batch_size: int, row_tokens: int, total_steps: int
    ) -> None:
        self.lengths, self.row_tokens = lengths, row_tokens
        self.batch_size, self.total_steps = batch_size, total_steps
        self._order, self._epoch, self._drawn = order, -1, np.empty(0, dtype=np.int64)
        self.steps_per_epoch = steps_per_epoch(len(self._of(0)), batch_size)

    def __len__(self) -> int:
        return self.total_steps

    def conversations(self, step: int) -> list[int]:
        """Indices of the step's conversations; the last step of an epoch may have fewer."""
        epoch, place = divmod(step, self.steps_per_epoch)
        start = place * self.batch_size
        return [int(index) for index in self._of(epoch)[start : start + self.batch_size]]

    def rows(self, step: int, world_size: int = 1) -> list[list[int]]:
        """The step's rows, each a list of conversations; row r is for process r % world_size."""
        chosen = self.conversations(step)
        packed = pack([int(self.lengths[index]) for index in chosen], self.row_tokens, world_size)
        return [[chosen[place] for place in row] for row in packed]

    def packing(self, steps: Sequence[int], world_size: int = 1) -> Packing:
        tokens = places = idle = 0
        for step in steps:
            filled = [
                sum(int(self.lengths[index]) for index in row)
                for row in self.rows(step, world_size)
            ]
            padded = [row_places(count) for count in filled]
            tokens, places = tokens + sum(filled), places + sum(padded)
            for at in range(0, len(padded), world_size):  # these run side by side
                side_by_side = padded[at : at + world_size]
                idle += max(side_by_side) * len(side_by_side) - sum(side_by_side)
        return Packing(tokens, places, idle)

    def _of(self, epoch: int) -> np.ndarray:
        if epoch != self._epoch:
            self._epoch, self._drawn = epoch, self._order(epoch)
        return self._drawn


def steps_per_epoch(num_conversations: int, batch_size: int) -> int:
    return max(1, math.ceil(num_conversations / batch_size))
