"""How two processes come by a shared model: `torchrun -m tests.train.loop.loading JSON`.

JSON: config, scale and folder. Each process writes RANK.json: bytes of real tensors before the
model is cut, and what `smallest` gives; the first one writes every whole tensor afterwards, loaded
by the first process alone (first.pt) and by all of them (all.pt).
"""

import json
import os
import sys
from pathlib import Path

import torch
from torch.distributed.tensor import DTensor

from palo.settings import load_profile
from train import run
from train.loop.loss import Learner
from train.loop.processes import cut, is_first, processes, smallest
from train.run import Journal, Run
from train.scale import LossKernel, load_scale


def real_bytes(learner):
    held = [*learner.parameters(), *learner.buffers()]
    return sum(tensor.nbytes for tensor in held if not tensor.is_meta)


def learner_of(profile, scale, short):
    training = Run(scale, profile, profile.data_dir / "work", Journal(scale.name), {})
    run._assemble(training)
    run._set_learning(training)
    if short:  # as on a GPU
        model = training.model
        for frozen in (model.model.vision_tower, model.model.language_model):
            for parameter in frozen.parameters():
                if not parameter.requires_grad:
                    parameter.data = parameter.data.to(torch.bfloat16)
    return Learner(training.model, 2, kernel=LossKernel.TORCH)


def whole(learner):
    tensors = {}
    for name, held in [*learner.named_parameters(), *learner.named_buffers()]:
        tensors[name] = held.full_tensor().detach() if isinstance(held, DTensor) else held.clone()
    return tensors


def main():
    given = json.loads(sys.argv[1])
    profile = load_profile("sample", Path(given["config"]))
    scale = load_scale(given["scale"], profile.train.scales_dir)
    rank, folder = int(os.environ["RANK"]), Path(given["folder"])
    processes()
    told = {"smallest": smallest(7 - rank)}
    for name in ("first", "all"):
        if name == "all":  # as if each were the first
            os.environ["RANK"] = "0"
        learner = learner_of(profile, scale, given["short"])
        told[name] = real_bytes(learner)
        cut(learner)
        tensors = whole(learner)
        torch.save(tensors, folder / f"{name}-{rank}.pt")
        os.environ["RANK"] = str(rank)
    (folder / f"{rank}.json").write_text(json.dumps(told), "utf-8")
    assert is_first() == (rank == 0)


if __name__ == "__main__":
    main()
    torch.distributed.destroy_process_group()
