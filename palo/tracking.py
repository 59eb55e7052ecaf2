"""Where training is followed: the loss and speed of each step, in TensorBoard or W&B."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from palo.errors import MissingResource
from palo.settings import Tracker


def require_trackers(trackers: Sequence[Tracker], setting: str) -> None:
    """Raises MissingResource for one whose package is not installed."""
    for tracker in trackers:
        if find_spec(tracker) is None:
            raise MissingResource(
                f"{setting} names {tracker}, which is not installed: "
                f"pip install {tracker}, or take it out of pipelines.yaml."
            )


@contextmanager
def tracked(trackers: Sequence[Tracker], runs_dir: Path) -> Iterator[list[Any]]:
    """Callbacks of a transformers Trainer for one training; TensorBoard's files lie in `runs_dir`,
    W&B's run ends with the block."""
    from transformers.integrations import integration_utils

    kinds: Any = integration_utils  # untyped
    callbacks: list[Any] = []
    for tracker in trackers:
        if tracker is Tracker.TENSORBOARD:
            from torch.utils.tensorboard import SummaryWriter

            callbacks.append(kinds.TensorBoardCallback(SummaryWriter(str(runs_dir))))
        else:
            callbacks.append(kinds.WandbCallback())
    try:
        yield callbacks
    finally:
        if Tracker.WANDB in trackers:
            import_module("wandb").finish()  # or the next training would go on in this run
