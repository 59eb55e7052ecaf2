"""Settings of the training loop that change how a run goes, never what it learns from."""

from enum import StrEnum
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from palo.settings.model import Section


class Sharding(StrEnum):
    """How several processes share one model; gradients are averaged in every case."""

    NONE = "none"  # each process holds all of it (DDP)
    FSDP2 = "fsdp2"  # parameters, gradients and optimizer state are cut over the processes
    DEEPSPEED = "deepspeed"  # ZeRO, as `deepspeed_path` says


class Tracker(StrEnum):
    TENSORBOARD = "tensorboard"  # event files in <checkpoint>.work/<stage>/runs
    WANDB = "wandb"  # needs the package and an account


class LoopSettings(Section):
    sharding: Sharding = Sharding.NONE
    deepspeed_path: Path | None = None  # JSON of DeepSpeed: see train/parallel/
    trackers: tuple[Tracker, ...] = (Tracker.TENSORBOARD,)
    log_every_steps: int = Field(default=10, ge=1)
    workers: int | None = Field(default=None, ge=0)  # that read images; None: 8 on a GPU, else 0
    # A step whose loss is this many times the median of the last ones ends the run; None: never.
    spike: float | None = Field(default=5.0, gt=1)
    keep_adapter: bool = False  # also write <scale>-adapter: base with the projector, and adapter

    @model_validator(mode="after")
    def _both_or_neither(self) -> Self:
        if self.sharding is Sharding.DEEPSPEED and self.deepspeed_path is None:
            raise ValueError(
                "sharding: deepspeed needs deepspeed_path, as train/parallel/deepspeed-zero2.json"
            )
        if self.sharding is not Sharding.DEEPSPEED and self.deepspeed_path is not None:
            raise ValueError(
                f"deepspeed_path has no effect with sharding: {self.sharding}; "
                "set sharding: deepspeed, or take it out"
            )
        return self
