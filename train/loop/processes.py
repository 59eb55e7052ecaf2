"""The processes that train together (torchrun starts them); often it is one alone."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import torch
from accelerate import PartialState

# How long one may wait for another: the first measures lengths and writes the finished checkpoint
# while the others wait. torchrun sees a process that died at once, whatever this is.
PATIENCE = timedelta(hours=2)


def processes() -> PartialState:
    """Joins the others at the first call: NCCL on GPUs, gloo on CPUs."""
    return PartialState(cpu=not torch.cuda.is_available(), timeout=PATIENCE)


def is_first() -> bool:
    """Whether this process is the one that writes; asked without joining the others."""
    return int(os.environ.get("RANK", "0")) == 0


@contextmanager
def first_alone() -> Iterator[bool]:
    """The first process goes through the block before all others: what it builds, they find."""
    state = processes()
    with state.main_process_first():
        yield state.is_main_process


def summed(values: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Sums over all processes, on the CPU."""
    if processes().num_processes == 1:
        return values.cpu()
    there = values.to(device)
    torch.distributed.all_reduce(there)
    return there.cpu()
