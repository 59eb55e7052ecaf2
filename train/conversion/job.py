"""What a conversion is asked for."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from train.model.layout import Layout, Part, PublishedType

MAX_SHARD_BYTES = 5_000_000_000


@dataclass(frozen=True)
class Job:
    """What is to be converted, where to, and what the checkpoint itself does not hold."""

    source: Path
    out: Path
    to: Layout | None = None  # None: the other one
    base: str | None = None  # language model of a projector or of adapters
    vision_tower: str | None = None
    part: Part | None = None  # None: what the source holds
    keep_adapter: bool = False
    model_type: PublishedType | None = None
    overwrite: bool = False
    max_shard_bytes: int = MAX_SHARD_BYTES
    tick: Callable[[int], object] = lambda _: None
