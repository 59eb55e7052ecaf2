"""What is measured between two lines of the log: losses by language, speed, padding, time left.

MFU's convention is train/model/sizes.py's: recomputation never counts, padding is no work.
"""

import math
import statistics
import time
from collections import deque
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import torch
from transformers import TrainerCallback
from transformers.integrations.integration_utils import TensorBoardCallback, WandbCallback

from palo.console import Tick
from palo.errors import MissingResource
from palo.settings import LoopSettings, Tracker
from train.loop.processes import is_first

MEMORY = 100  # steps that the median loss is over
SETTLED = 20  # steps before a spike can be told


class Counts(NamedTuple):
    """Of one step: supervised tokens by language, and what the rows hold."""

    by_language: tuple[int, ...]
    tokens: int = 0
    places: int = 0  # tokens and padding
    images: int = 0

    @staticmethod
    def of(tensor: torch.Tensor) -> "Counts":
        """The four, end to end."""
        *by_language, tokens, places, images = map(int, tensor.tolist())
        return Counts(tuple(by_language), tokens, places, images)

    @property
    def supervised(self) -> int:
        return sum(self.by_language)


class Window:
    """The steps since the last line of the log; `peak_flops` of all devices together, a second."""

    def __init__(self, languages: Sequence[str], peak_flops: float | None = None) -> None:
        self.languages, self.peak_flops = languages, peak_flops
        self._steps: list[tuple[torch.Tensor, Counts, float, float]] = []
        self.start()

    def start(self) -> None:
        """What went before (saving a checkpoint) is not part of a step."""
        self._since = time.monotonic()

    def add(self, losses: torch.Tensor, counts: Counts, flops: float) -> None:
        now = time.monotonic()
        self._steps.append((losses, counts, flops, now - self._since))
        self._since = now

    def logs(self, steps_left: int) -> dict[str, float]:
        """The figures of the window, which then begins anew."""
        if not self._steps:
            return {}
        losses, counts, flops, seconds_each = zip(*self._steps, strict=True)
        seconds = max(sum(seconds_each), 1e-9)
        by_language = zip(*(step.by_language for step in counts), strict=True)
        logs = {
            f"loss_{lang}": float(loss / sum(learned))
            for lang, loss, learned in zip(self.languages, sum(losses), by_language, strict=True)
            if any(learned)
        }
        tokens, places = sum(step.tokens for step in counts), sum(step.places for step in counts)
        logs["tokens_per_s"] = tokens / seconds
        logs["padding_share"] = 1 - tokens / places if places else 0.0
        logs["eta_s"] = steps_left * seconds / len(self._steps)
        if self.peak_flops:
            logs["mfu"] = sum(flops) / seconds / self.peak_flops
        self._steps.clear()
        return logs


class SpikeWatch:
    """Tells a loss that is no number, or many times the median of the last ones."""

    def __init__(self, factor: float | None) -> None:
        self.factor = factor
        self._last: deque[float] = deque(maxlen=MEMORY)

    def problem(self, loss: float) -> str | None:
        """What is wrong with a step's loss; a sound one is remembered."""
        if not math.isfinite(loss):
            return f"the loss is {loss}"
        if self.factor and len(self._last) >= SETTLED:
            median = statistics.median(self._last)
            if loss > self.factor * median:
                return f"the loss is {loss:.3g}, {self.factor:g} times the median {median:.3g}"
        self._last.append(loss)
        return None


class Display(TrainerCallback):
    """Moves the progress bar; a few figures of the log beside it."""

    def __init__(self, tick: Tick) -> None:
        self.tick, self.text = tick, ""

    def on_train_begin(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        self.tick(state.global_step)

    def on_log(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        """`loss 0.412 · 3.1k tok/s · MFU 38%`"""
        if "loss" not in (logs := more.get("logs") or {}):
            return
        parts = [f"loss {logs['loss']:.3f}"]
        if speed := logs.get("tokens_per_s"):
            parts.append(f"{speed / 1000:.1f}k tok/s")
        if "mfu" in logs:
            parts.append(f"MFU {logs['mfu']:.0%}")
        self.text = " · ".join(parts)

    def on_step_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        self.tick(1, self.text)


def trackers(settings: LoopSettings, folder: Path) -> list[TrainerCallback]:
    """Raises MissingResource for one whose package is not installed."""
    callbacks: list[TrainerCallback] = []
    for tracker in settings.trackers if is_first() else ():
        if find_spec(tracker) is None:
            raise MissingResource(
                f"train.loop.trackers names {tracker}, which is not installed: "
                f"pip install {tracker}, or take it out of pipelines.yaml."
            )
        if tracker is Tracker.TENSORBOARD:
            from torch.utils.tensorboard import SummaryWriter

            callbacks.append(TensorBoardCallback(SummaryWriter(str(folder / "runs"))))
        else:
            callbacks.append(WandbCallback())
    return callbacks
