"""What is measured between two lines of the log: losses by language, speed, padding, time left.

MFU's convention is train/model/sizes.py's: recomputation never counts, padding is no work.
"""

import statistics
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback

from palo.console import Tick
from palo.errors import MissingResource
from palo.settings import LoopSettings, Tracker
from train.loop.processes import is_first

MEMORY = 100  # steps that the median loss is over
SETTLED = 20  # steps before a spike can be told


@dataclass(frozen=True)
class Counts:
    """Of one step: supervised tokens by language, and what the rows hold."""

    by_language: tuple[int, ...]
    tokens: int = 0
    places: int = 0  # tokens and padding
    images: int = 0

    def tensor(self) -> torch.Tensor:
        everything = (*self.by_language, self.tokens, self.places, self.images)
        return torch.tensor(everything, dtype=torch.float64)

    @staticmethod
    def of(tensor: torch.Tensor) -> "Counts":
        *by_language, tokens, places, images = map(int, tensor.tolist())
        return Counts(tuple(by_language), tokens, places, images)

    @property
    def supervised(self) -> int:
        return sum(self.by_language)


@dataclass
class Window:
    """Sums over the steps since the last line of the log."""

    languages: Sequence[str]
    peak_flops: float | None = None  # of all devices together, a second
    steps: int = 0
    flops: float = 0.0
    seconds: float = 0.0
    tokens: int = 0
    places: int = 0
    losses: torch.Tensor = field(init=False)
    counts: torch.Tensor = field(init=False)
    _since: float = field(default_factory=lambda: time.monotonic())

    def __post_init__(self) -> None:
        self.losses = torch.zeros(len(self.languages), dtype=torch.float64)
        self.counts = torch.zeros(len(self.languages), dtype=torch.float64)

    def start(self) -> None:
        """What went before (saving a checkpoint) is not part of a step."""
        self._since = time.monotonic()

    def add(self, losses: torch.Tensor, counts: Counts, flops: float) -> None:
        now = time.monotonic()
        self.seconds, self._since = self.seconds + now - self._since, now
        self.steps, self.flops = self.steps + 1, self.flops + flops
        self.tokens, self.places = self.tokens + counts.tokens, self.places + counts.places
        self.losses += losses
        self.counts += torch.tensor(counts.by_language, dtype=torch.float64)

    def logs(self, steps_left: int) -> dict[str, float]:
        """The figures of the window, which then begins anew."""
        if not self.steps:
            return {}
        seconds = max(self.seconds, 1e-9)
        logs = {
            f"loss_{lang}": float(loss / count)
            for lang, loss, count in zip(self.languages, self.losses, self.counts, strict=True)
            if count
        }
        logs["tokens_per_s"] = self.tokens / seconds
        logs["padding_share"] = 1 - self.tokens / self.places if self.places else 0.0
        logs["eta_s"] = steps_left * seconds / self.steps
        if self.peak_flops:
            logs["mfu"] = self.flops / seconds / self.peak_flops
        self.steps = self.tokens = self.places = 0
        self.flops = self.seconds = 0.0
        self.losses.zero_()
        self.counts.zero_()
        return logs


class SpikeWatch:
    """Tells a loss that is no number, or many times the median of the last ones."""

    def __init__(self, factor: float | None) -> None:
        self.factor = factor
        self._last: deque[float] = deque(maxlen=MEMORY)

    def problem(self, loss: float) -> str | None:
        """What is wrong with a step's loss; a sound one is remembered."""
        if loss != loss or loss in (float("inf"), float("-inf")):
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
        if "loss" in (logs := more.get("logs") or {}):
            self.text = told(logs)

    def on_step_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        self.tick(1, self.text)


def told(logs: dict[str, float]) -> str:
    """`loss 0.412 · 3.1k tok/s · MFU 38%`"""
    parts = [f"loss {logs['loss']:.3f}"]
    if speed := logs.get("tokens_per_s"):
        parts.append(f"{speed / 1000:.1f}k tok/s")
    if "mfu" in logs:
        parts.append(f"MFU {logs['mfu']:.0%}")
    return " · ".join(parts)


def trackers(settings: LoopSettings, folder: Path) -> list[TrainerCallback]:
    """Raises MissingResource for one whose package is not installed."""
    callbacks: list[TrainerCallback] = []
    if not is_first():
        return callbacks
    for tracker in settings.trackers:
        try:
            if tracker is Tracker.TENSORBOARD:
                from torch.utils.tensorboard import SummaryWriter
                from transformers.integrations.integration_utils import TensorBoardCallback

                callbacks.append(TensorBoardCallback(SummaryWriter(str(folder / "runs"))))
            else:
                import wandb  # noqa: F401
                from transformers.integrations.integration_utils import WandbCallback

                callbacks.append(WandbCallback())
        except ImportError:
            raise MissingResource(
                f"train.loop.trackers names {tracker}, which is not installed: "
                f"pip install {tracker}, or take it out of pipelines.yaml."
            ) from None
    return callbacks
