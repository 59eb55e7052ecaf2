"""Who is told of a run: the progress display, TensorBoard, Weights & Biases."""

from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from palo.console import Tick
from palo.errors import MissingResource
from palo.settings import LoopSettings, Tracker
from train.loop.processes import is_first


class Display(TrainerCallback):
    """Moves the progress bar; a few figures of the log beside it."""

    def __init__(self, tick: Tick, settings: LoopSettings) -> None:
        self.tick, self.text, self.begun = tick, "", False

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self.tick(state.global_step)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **kwargs: Any,
    ) -> None:
        if logs and "loss" in logs:
            self.text = told(logs)

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
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
    found: list[TrainerCallback] = []
    if not is_first():
        return found
    for tracker in settings.trackers:
        try:
            if tracker is Tracker.TENSORBOARD:
                from torch.utils.tensorboard import SummaryWriter
                from transformers.integrations import TensorBoardCallback

                found.append(TensorBoardCallback(SummaryWriter(str(folder / "runs"))))
            else:
                import wandb  # noqa: F401
                from transformers.integrations import WandbCallback

                found.append(WandbCallback())
        except ImportError:
            raise MissingResource(
                f"train.loop.trackers names {tracker}, which is not installed: "
                f"pip install {tracker}, or take it out of pipelines.yaml."
            ) from None
    return found
