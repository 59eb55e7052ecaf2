"""Stages for tests, by one process or several: `torchrun -m tests.train.loop.stages JSON`."""

import json
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch

from palo.settings import Sharding
from tests.train.loop.conftest import QUIET, STAGE, make_data, make_job, make_learner
from train.loop.loss import recompute
from train.loop.processes import processes
from train.loop.trainer import run_stage
from train.model.assembly import add_adapters
from train.scale import Checkpointing, Lora

# A gradient that is nearly zero may change its sign when it is summed in another order, and AdamW's
# first steps are as long as the rate whatever the gradient: so a rate that shows no such step.
STEADY = STAGE.model_copy(update={"learning_rate": 1e-3, "row_tokens": 600})


@dataclass(frozen=True)
class Case:
    """`stop`: the step before which the run is cut off; `batch`: conversations a step."""

    folder: str
    images: str
    name: str = "7b"
    lora: bool = False
    dropout: float = 0.0
    batch: int = 4
    untied: bool = False
    recomputed: bool = False
    sharding: Sharding = Sharding.NONE
    stop: int | None = None


class Stopped(Exception):
    pass


def learner_of(case):
    learner, tokenizer = make_learner(case.name)
    model = learner.model
    model.model.vision_tower.requires_grad_(False)
    if case.untied:
        head = model.lm_head.weight.detach().clone()
        model.lm_head.weight = torch.nn.Parameter(head)
    if case.lora:
        model.requires_grad_(False)
        model.model.multi_modal_projector.requires_grad_(True)
        add_adapters(
            model.model.language_model, Lora(rank=4, alpha=8, dropout=case.dropout), seed=3
        )
    if case.recomputed:
        recompute(model.model.language_model, Checkpointing.FULL)
    return learner, tokenizer


def train(case):
    """The log; the trained weights lie in the newest checkpoint."""
    seen = 0

    def tick(advance=1, text=""):
        nonlocal seen
        seen += advance
        if case.stop is not None and seen == case.stop:
            raise Stopped

    stage = STEADY.model_copy(update={"batch_size": case.batch, "max_steps": 6})
    learner, tokenizer = learner_of(case)
    folder, state = Path(case.folder), processes()
    folder.mkdir(parents=True, exist_ok=True)
    data = make_data(
        folder,
        learner,
        tokenizer,
        stage,
        state.process_index,
        state.num_processes,
        Path(case.images),
    )
    settings = QUIET.model_copy(update={"sharding": case.sharding})
    try:
        return run_stage(learner, data, make_job(folder, stage, settings), tick)
    except Stopped:
        return []


def main():
    for given in json.loads(sys.argv[1]):
        case = Case(**{**given, "sharding": Sharding(given["sharding"])})
        log = train(case)
        state = processes()
        if state.is_main_process:
            (Path(case.folder) / "log.json").write_text(json.dumps(log), "utf-8")
        state.wait_for_everyone()


def as_json(cases):
    return json.dumps([asdict(case) for case in cases])


def named(case, folder, **changes):
    return replace(case, folder=str(folder), **changes)


if __name__ == "__main__":
    main()
    torch.distributed.destroy_process_group()
