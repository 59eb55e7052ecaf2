"""The processes that train together (torchrun starts them); often it is one alone."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from safetensors.torch import load_file, save_file
from torch.distributed.checkpoint.state_dict import StateDictOptions, set_model_state_dict
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from palo.files import replaced
from palo.settings import Sharding

# How long one may wait for another: the first measures lengths and writes the finished checkpoint
# while the others wait. torchrun sees a process that died at once, whatever this is.
PATIENCE = timedelta(hours=2)
# SLURM sends them some time before it ends a job, and when another takes its place
ENDINGS = (signal.SIGUSR1, signal.SIGTERM)
_came: list[int] = []  # of these, since the run began


def processes() -> PartialState:
    """Joins the others at the first call: NCCL on GPUs, gloo on CPUs."""
    return PartialState(cpu=not torch.cuda.is_available(), timeout=PATIENCE)


def is_first() -> bool:
    """Whether this process is the one that writes; asked without joining the others."""
    return int(os.environ.get("RANK", "0")) == 0


@contextmanager
def heeding_signals() -> Iterator[None]:
    """Within it a signal to end is remembered, for the loop to save first; `was_asked_to_end`."""
    mine = os.getpid()

    def remember(number: int, frame: object) -> None:
        if os.getpid() == mine:
            _came.append(number)
        elif number == signal.SIGTERM:  # a worker that was forked, whose parent ends it
            os._exit(128 + number)

    _came.clear()
    before = {of: signal.signal(of, remember) for of in ENDINGS}
    try:
        yield
    finally:
        for of, handler in before.items():
            signal.signal(of, handler or signal.SIG_DFL)
        _came.clear()


def was_asked_to_end() -> bool:
    """Of this process alone: the others may not have been told yet."""
    return bool(_came)


def summed(values: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Sums over all processes, on the CPU."""
    if processes().num_processes == 1:
        return values.cpu()
    there = values.to(device)
    torch.distributed.all_reduce(there)
    return there.cpu()


def smallest(value: int) -> int:
    """The least that any process has."""
    if processes().num_processes == 1:
        return value
    least = torch.tensor(value, device=processes().device)
    torch.distributed.all_reduce(least, torch.distributed.ReduceOp.MIN)
    return int(least)


def in_effect(asked: Sharding) -> Sharding:
    """One process alone has nobody to share with."""
    return asked if processes().num_processes > 1 else Sharding.NONE


def cut(learner: Any) -> None:
    """Cuts every decoder layer, then all the rest as one group, over all processes.

    Tower, projector, embeddings and head stay together in the root: it is gathered once a row
    whatever the row holds, so a row of text alone makes the same calls as one with pictures.
    Processes whose learner is on the meta device get their parts from the first one.
    """
    is_empty = next(learner.parameters()).is_meta
    is_spread = smallest(int(not is_empty)) == 0
    whole_weights = {} if is_empty or not is_spread else learner.state_dict()
    device = processes().device.type
    mesh = init_device_mesh(device, (processes().num_processes,))
    # as autocast does: short copies to compute with, gradients and updates in full precision
    short = MixedPrecisionPolicy(torch.bfloat16, torch.float32, cast_forward_inputs=False)
    policy = short if device == "cuda" else MixedPrecisionPolicy()
    for layer in learner.model.model.language_model.layers:
        fully_shard(layer, mesh=mesh, mp_policy=policy)
    fully_shard(learner, mesh=mesh, mp_policy=policy)
    whole = [name for name, held in learner.named_parameters() if not isinstance(held, DTensor)]
    assert not whole, f"not cut: {whole}"
    if is_spread:
        _spread(learner, whole_weights, is_empty)


def _spread(learner: Any, weights: dict[str, Any], is_empty: bool) -> None:
    """Gives every process its part of the first one's `weights`, one tensor after another."""
    device = processes().device
    if is_empty:
        learner.to_empty(device=device)
        learner.model.tie_weights()
    options = StateDictOptions(full_state_dict=True, broadcast_from_rank0=True)
    set_model_state_dict(learner, weights, options=options)
    for buffer in learner.buffers():  # some are not among the weights, such as rotary frequencies
        sent = buffer.to(device).contiguous()
        torch.distributed.broadcast(sent, 0)
        buffer.copy_(sent)


def save_whole(path: Path, model: torch.nn.Module) -> None:
    """Writes the parameters that are trained; all processes must call it, the first one writes."""
    first = processes().is_main_process
    named: dict[str, torch.Tensor] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            tensor = _whole(parameter)
            if first:
                named[name] = tensor.detach().contiguous().cpu()
    if first:
        with replaced(path) as temporary:
            save_file(named, temporary)
    processes().wait_for_everyone()


def load_whole(path: Path, model: torch.nn.Module) -> None:
    """Every process takes its part of what `save_whole` wrote."""
    stored = load_file(path)
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    assert stored.keys() == trained.keys(), f"{path} holds other parameters than the model trains"
    with torch.no_grad():
        for name, parameter in trained.items():
            parameter.copy_(_as_cut(stored[name], parameter))


def whole_state(state: dict[str, Any]) -> dict[str, Any]:
    """An optimizer's state as a single process has it; all processes must call it."""
    first = processes().is_main_process  # only the first one holds all of it
    whole: dict[int, dict[str, Any]] = {}
    for index, held in sorted(state["state"].items()):
        whole[index] = dict(held)
        for key, value in held.items():
            if isinstance(value, torch.Tensor):
                tensor = _whole(value)
                whole[index][key] = tensor.cpu() if first else None
    return {**state, "state": whole}


def cut_state(state: dict[str, Any], optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """A whole optimizer's state, cut as the optimizer's parameters are."""
    parameters = [held for group in optimizer.param_groups for held in group["params"]]
    parts: dict[int, dict[str, Any]] = {}
    for index, held in state["state"].items():
        like = parameters[index]
        parts[index] = dict(held)
        for key, value in held.items():
            if isinstance(value, torch.Tensor) and value.shape == like.shape and value.dim():
                parts[index][key] = _as_cut(value, like)
    return {**state, "state": parts}


def _as_cut(whole: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    if not isinstance(like, DTensor):
        return whole
    there = whole.to(like.device)
    # every process read the file: nothing is sent
    return distribute_tensor(there, like.device_mesh, like.placements, src_data_rank=None)


def _whole(tensor: torch.Tensor) -> torch.Tensor:
    if isinstance(tensor, DTensor):
        return tensor.full_tensor()
    if hasattr(tensor, "_hp_mapping") or hasattr(tensor, "ds_id"):  # DeepSpeed's: the fp32 one
        from deepspeed.utils import safe_get_full_fp32_param

        full = safe_get_full_fp32_param(tensor)
        return tensor if full is None else full
    return tensor
