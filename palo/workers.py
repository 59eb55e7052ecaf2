"""Work spread over processes, its results in the order of the work.

Processes are spawned, never forked: a fork would hand them locks and SQLite handles. They end
with the process that started them, however it ends.
"""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from typing import TypeVar

from palo.errors import UserError

Item = TypeVar("Item")
Result = TypeVar("Result")

_WAITING_PER_PROCESS = 2  # so that none idles, and no more than these are held in memory


def batches(
    items: Iterable[Item], most: int, chars: Callable[[Item], int], most_chars: int
) -> Iterator[list[Item]]:
    """So many items, fewer where they are long, so that a few batches always fit the memory."""
    batch: list[Item] = []
    held = 0
    for item in items:
        batch.append(item)
        held += chars(item)
        if len(batch) == most or held > most_chars:
            yield batch
            batch, held = [], 0
    if batch:
        yield batch


def default_processes() -> int:
    """The cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_order(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    processes: int,
    work: str,
    setting: str = "",
    prepare: Callable[[], None] | None = None,
) -> Iterator[Result]:
    """`map(function, items)`, in `processes` processes; with one, in this one.

    `function` and `prepare`, which each process calls once, must be picklable. Items are taken as
    they are needed. Raises UserError where a process dies (the system ends it for its memory):
    `work` says there what it did ("judged translations"), `setting` where its number is set.
    """
    if processes <= 1:
        if prepare:
            prepare()
        yield from map(function, items)
        return
    waiting: deque[Future[Result]] = deque()
    rest = iter(items)
    pool = ProcessPoolExecutor(
        processes, multiprocessing.get_context("spawn"), initializer=begin, initargs=(prepare,)
    )
    try:
        for item in islice(rest, processes * _WAITING_PER_PROCESS):
            waiting.append(pool.submit(function, item))
        while waiting:
            yield waiting.popleft().result()
            for item in islice(rest, 1):
                waiting.append(pool.submit(function, item))
    except BrokenProcessPool:
        fewer = f", with fewer processes (`{setting}` in pipelines.yaml) if it happens again"
        raise UserError(
            f"A process that {work} was ended from outside, most likely for want of memory. "
            f"What was written is kept: run the same command again{fewer if setting else ''}."
        ) from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def begin(prepare: Callable[[], None] | None = None) -> None:
    """What a process that works for another does first: it ends with that one, however it ends, and
    leaves Ctrl-C to it."""

    def end_with_parent() -> None:
        parent = multiprocessing.parent_process()
        if parent is not None:
            parent.join()
            os._exit(1)

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent stops the work, in order
    threading.Thread(target=end_with_parent, daemon=True).start()
    if prepare:
        prepare()
