"""Writes weights in files of limited size, one file's tensors in memory at a time.

The cut into files is that of `huggingface_hub.save_torch_state_dict`: the same tensors in the same
order give the same bytes, whichever of the two wrote them.
"""

import json
from collections.abc import Callable
from pathlib import Path

import torch
from huggingface_hub import split_state_dict_into_shards_factory
from safetensors.torch import save_file

from train.conversion.job import MAX_SHARD_BYTES
from train.conversion.read_weights import INDEX, Weights

METADATA = {"format": "pt"}
Plan = dict[str, list[str]]  # names by file


def plan_shards(
    weights: Weights, stem: str = "model", max_bytes: int = MAX_SHARD_BYTES
) -> tuple[Plan, dict[str, int]]:
    """Which file holds which tensors, in the weights' order; the index's metadata."""
    split = split_state_dict_into_shards_factory(
        weights,
        get_storage_size=lambda lazy: lazy.num_bytes,
        filename_pattern=stem + "{suffix}.safetensors",
        max_shard_size=max_bytes,
    )
    return dict(split.filename_to_tensors), dict(split.metadata)


def write_shards(
    folder: Path,
    weights: Weights,
    max_bytes: int = MAX_SHARD_BYTES,
    tick: Callable[[int], object] = lambda _: None,
) -> None:
    """`model.safetensors`, or numbered shards and their index."""
    plan, totals = plan_shards(weights, max_bytes=max_bytes)
    write_plan(folder, weights, plan, tick=tick)
    if len(plan) > 1:
        where = {name: file for file, names in plan.items() for name in names}
        index = {"metadata": {**totals, **METADATA}, "weight_map": where}
        text = json.dumps(index, indent=2)
        (folder / f"model.safetensors{INDEX}").write_text(text, encoding="utf-8")


def write_plan(
    folder: Path,
    weights: Weights,
    plan: Plan,
    metadata: dict[str, dict[str, str]] | None = None,
    tick: Callable[[int], object] = lambda _: None,
) -> None:
    """Every file of the plan; `tick` is called with the number of tensors written."""
    for file, names in plan.items():
        tensors = {name: weights[name].read().contiguous() for name in names}
        if file.endswith(".bin"):
            # A view would be stored with all that lies around it.
            torch.save({name: tensor.clone() for name, tensor in tensors.items()}, folder / file)
        else:
            save_file(_apart(tensors), folder / file, (metadata or {}).get(file, METADATA))
        tick(len(names))


def _apart(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Tensors of one storage made into several; safetensors refuses to store shared ones."""
    seen: set[int] = set()
    apart = {}
    for name, tensor in tensors.items():
        storage = tensor.untyped_storage().data_ptr()
        apart[name] = tensor.clone() if storage in seen else tensor
        seen.add(storage)
    return apart
