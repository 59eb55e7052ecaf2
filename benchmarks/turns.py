"""Training runs that take turns, a step each, so that other work on the machine meets all alike."""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from transformers import TrainerCallback


class Turns:
    """Who may run: the first of those that are left."""

    def __init__(self, names: Sequence[str]) -> None:
        self._left, self._changed = list(names), threading.Condition()

    def wait(self, name: str) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._left[0] == name)

    def hand_over(self, name: str) -> None:
        with self._changed:
            self._left.remove(name)
            self._left.append(name)
            self._changed.notify_all()

    def leave(self, name: str) -> None:
        with self._changed:
            self._left.remove(name)
            self._changed.notify_all()


class Clock(TrainerCallback):
    """What each step took from one end to the next: seconds of the wall, and of the cores."""

    def __init__(self, turns: Turns, name: str) -> None:
        self.turns, self.name = turns, name
        self.steps: list[tuple[float, float]] = []
        self._since = (time.perf_counter(), time.process_time())

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        wall, cpu = self._since
        self.steps.append((time.perf_counter() - wall, time.process_time() - cpu))
        self.turns.hand_over(self.name)
        self.turns.wait(self.name)
        self._since = (time.perf_counter(), time.process_time())


def in_turns(
    contenders: dict[str, Callable[[Clock], dict[str, float]]],
) -> dict[str, dict[str, float]]:
    """Each in a thread of its own, of which one at a time does anything."""
    turns = Turns(list(contenders))

    def run(name: str) -> dict[str, float]:
        turns.wait(name)
        try:
            return contenders[name](Clock(turns, name))
        finally:
            turns.leave(name)

    with ThreadPoolExecutor(len(contenders)) as pool:
        return dict(zip(contenders, pool.map(run, contenders), strict=True))
