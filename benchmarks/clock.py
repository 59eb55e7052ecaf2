"""The time of training steps and of a device's work."""

import time
from typing import Any

import torch
from transformers import TrainerCallback


class Clock(TrainerCallback):
    """What each step took from one end to the next: seconds of the wall, and of the cores."""

    def __init__(self) -> None:
        self.steps: list[tuple[float, float]] = []
        self._since = (time.perf_counter(), time.process_time())

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        synchronise()
        now = (time.perf_counter(), time.process_time())
        self.steps.append((now[0] - self._since[0], now[1] - self._since[1]))
        self._since = now


def synchronise() -> None:
    """Waits until the device's work is done."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
