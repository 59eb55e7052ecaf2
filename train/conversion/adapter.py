"""LoRA adapters of the published trainer: read, merged tensor by tensor, or renamed both ways.

The trainer keeps what it trained besides the adapters (the projector) in `non_lora_trainables.bin`
under `base_model.model.`, the prefix that peft puts before every name.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from palo.errors import UserError
from train.conversion.weights import (
    Lazy,
    Stored,
    Weights,
    listed,
    read_file,
    read_json_object,
    read_stored,
    weights_at,
)
from train.model.layout import from_published, in_memory_name, published_name, stored_as_classic

CONFIG = "adapter_config.json"
STEMS = ("adapter_model.safetensors", "adapter_model.bin")
WEIGHTS = STEMS[0]
NON_LORA = "non_lora_trainables.bin"
PREFIX = "base_model.model."
_NAME = re.compile(r"base_model\.model\.(?P<module>.+)\.lora_(?P<side>[AB])(\.default)?\.weight")
# What would add something else than scaled B times A; None stands for a field left out.
_ONLY: dict[str, tuple[Any, ...]] = {
    "peft_type": ("LORA",),
    "bias": ("none", None),
    "use_dora": (False, None),
    "lora_bias": (False, None),
    "fan_in_fan_out": (False, None),
    "modules_to_save": (None, []),
    "alpha_pattern": ({}, None),
    "rank_pattern": ({}, None),
}


@dataclass(frozen=True)
class Adapter:
    """Pairs of small matrices by the module that they change, as its layout names it."""

    config: dict[str, Any]
    stored: Stored
    pairs: dict[str, tuple[Lazy, Lazy]]  # module -> A, B

    @property
    def layers(self) -> list[str]:
        """The last parts of the modules' names: `q_proj`."""
        return sorted({module.rsplit(".", 1)[-1] for module in self.pairs})


def read_adapter(folder: Path) -> Adapter:
    """Raises UserError for an adapter that is no plain LoRA, naming the field and its value."""
    path = folder / CONFIG
    config = read_json_object(path)
    for key, allowed in _ONLY.items():
        if config.get(key) not in allowed:
            raise UserError(
                f"{path}: {key} is {config.get(key)!r}; only plain LoRA ({key} {allowed[0]!r}) "
                "can be converted."
            )
    at = weights_at(folder, STEMS)
    if at is None:
        raise UserError(f"{folder} has {CONFIG} but no {listed(STEMS)}: get the adapter whole.")
    stored = read_stored(at)
    sides: dict[str, dict[str, Lazy]] = {}
    for name, lazy in stored.weights.items():
        match = _NAME.fullmatch(name)
        if match is None:
            raise UserError(f"{at}: {name} is no LoRA matrix that can be converted.")
        sides.setdefault(match["module"], {})[match["side"]] = lazy
    alone = [module for module, pair in sides.items() if len(pair) != 2]
    if alone:
        raise UserError(f"{at} has only one of the two LoRA matrices of {listed(alone)}.")
    pairs = {module: (pair["A"], pair["B"]) for module, pair in sides.items()}
    for module, (down, up) in pairs.items():
        if not (down.shape[0] == up.shape[1] == config.get("r")):
            raise UserError(
                f"{path}: r is {config.get('r')!r}, but {module} in {at.name} has rank "
                f"{down.shape[0]}."
            )
    return Adapter(config, stored, pairs)


def read_non_lora(folder: Path) -> Weights:
    """The projector, and whatever else was trained besides the adapters, under published names."""
    weights, _ = read_file(folder / NON_LORA)
    bare = {name.removeprefix("base_model."): lazy for name, lazy in weights.items()}
    if any(name.startswith("model.model.") for name in bare):
        bare = {name.removeprefix("model."): lazy for name, lazy in bare.items()}
    return bare


def merge(weights: Weights, adapter: Adapter, where: Path) -> Weights:
    """The weights with every pair's product added, as peft adds it: in single precision."""
    lost = [module for module in adapter.pairs if f"{module}.weight" not in weights]
    if lost:
        raise UserError(f"{where}: the base has no {listed(lost)}; is it the right --base?")
    rank = adapter.config["r"]
    divisor = rank**0.5 if adapter.config.get("use_rslora") else rank
    scaling = float(adapter.config["lora_alpha"] / divisor)
    merged = dict(weights)
    for module, (down, up) in adapter.pairs.items():
        name = f"{module}.weight"
        if (up.shape[0], down.shape[1]) != weights[name].shape:
            raise UserError(
                f"{where}: the adapter of {module} is for {up.shape[0]} x {down.shape[1]}, the "
                f"base's weight is {' x '.join(map(str, weights[name].shape))}: another --base?"
            )
        merged[name] = _merged(weights[name], down, up, scaling)
    return merged


def _merged(weight: Lazy, down: Lazy, up: Lazy, scaling: float) -> Lazy:
    def read() -> torch.Tensor:
        change = (up.read().float() @ down.read().float()) * scaling
        return (weight.read().clone()).add_(change)

    return Lazy(weight.shape, weight.dtype, read)


def for_ours(adapter: Adapter) -> tuple[dict[str, Any], Weights]:
    """The adapter's config and matrices for our model in memory, as peft and vLLM load them."""

    def rename(name: str) -> str | None:
        classic = from_published(name)
        is_text = classic is not None and classic.startswith("language_model.")
        return in_memory_name(classic) if classic is not None and is_text else None

    # Plain names would match the vision tower's layers too.
    targets = rf"model\.language_model\..*\.({'|'.join(adapter.layers)})"
    settings = {"base_model_name_or_path": None, "target_modules": targets}
    weights = _renamed(adapter, rename, "no part of the language model")
    return {**adapter.config, **settings}, weights


def for_published(adapter: Adapter, base: str | None) -> tuple[dict[str, Any], Weights]:
    """The way back of `for_ours`."""

    def rename(name: str) -> str | None:
        classic = stored_as_classic(name)
        return None if classic is None else published_name(classic)

    settings = {"base_model_name_or_path": base, "target_modules": adapter.layers}
    weights = _renamed(adapter, rename, "which LLaVA does not have")
    return {**adapter.config, **settings}, weights


def _renamed(adapter: Adapter, rename: Callable[[str], str | None], odd: str) -> Weights:
    weights: Weights = {}
    for module, pair in adapter.pairs.items():
        name = rename(f"{module}.weight")
        if name is None:
            raise UserError(f"The adapter changes {module}, {odd}.")
        for side, lazy in zip("AB", pair, strict=True):
            weights[f"{PREFIX}{name.removesuffix('.weight')}.lora_{side}.weight"] = lazy
    return weights
