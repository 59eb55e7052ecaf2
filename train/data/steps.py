"""A stage's steps from its conversations: measured, drawn, planned, read when their turn comes."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from palo.settings import MixtureWeights
from train.data.batches import Packer, Pictures, StageData
from train.data.images import ImageLosses
from train.data.lengths import Lengths, Measure, measure
from train.data.mixture import Mixture
from train.data.packing import StepPlan
from train.data.selection import draw
from train.data.template import Template
from train.scale import Stage

IMAGE_LOSSES = "image-losses.jsonl"


@dataclass(frozen=True)
class Reading:
    """How conversations become tokens and pixels: one for both stages of a run."""

    tokenizer: Any
    pictures: Pictures
    packer: Packer
    max_length: int


def measured(
    examples: Mixture, reading: Reading, as_captions: bool, tick: Callable[[int], object]
) -> Lengths:
    return measure(
        examples,
        Template(reading.tokenizer),
        reading.packer.image_tokens,
        reading.max_length,
        as_captions,
        examples.path.parent,
        tick=tick,
    )


def stage_data(
    examples: Mixture,
    lengths: Lengths,
    reading: Reading,
    stage: Stage,
    weights: MixtureWeights,
    seed: int,
    as_captions: bool,
    folder: Path,
    max_broken_images: float,
    total_steps: Callable[[Stage, int], int],
    rank: int = 0,
    world_size: int = 1,
) -> StageData:
    """The steps of this process. Images that cannot be read go to image-losses.jsonl in `folder`.

    Raises UserError where already too many images are refused.
    """

    def order(epoch: int) -> np.ndarray:
        return draw(examples.langs, examples.languages, lengths.usable, weights, seed, epoch)

    drawn = order(0)
    with_image = int(examples.has_image()[np.unique(drawn)].sum()) + len(lengths.refused)
    losses = ImageLosses(folder / IMAGE_LOSSES, max_broken_images, with_image, fresh=rank == 0)
    if rank == 0:
        for one in lengths.refused:
            losses.add(one.sample_id, one.lang, "", one.reason)
    losses.check()
    packer = reading.packer
    how = Measure(Template(reading.tokenizer), packer.image_tokens, reading.max_length, as_captions)
    steps = total_steps(stage, len(drawn))
    plan = StepPlan(lengths.tokens, order, stage.batch_size, stage.row_tokens, steps)
    return StageData(
        examples, examples.languages, how, packer, plan, reading.pictures, losses, rank, world_size
    )
