"""A trained LoRA scale in two parts: a base with the trained projector, and an adapter on it.

    folder/base      a whole checkpoint: language model as it came, tower, projector as trained
    folder/adapter   a PEFT adapter of the language model alone

Servers that hold one base for several adapters (vLLM does) refuse adapters that carry whole
modules, so the projector cannot be in the adapter. The adapter's names are those of the whole
model in transformers 5: `PeftModel.from_pretrained(model, folder/adapter)` takes them as they
are, and vLLM renames them as it does the weights.
"""

import copy
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel, get_peft_model_state_dict
from safetensors import safe_open
from safetensors.torch import save_file
from transformers import LlavaForConditionalGeneration

from train.model.checkpoint import (
    classic_name,
    load_checkpoint,
    save_checkpoint,
    written_whole,
)
from train.model.layout import ADAPTER, BASE

_PEFT = "base_model.model."  # what PEFT puts before every name
_LANGUAGE_MODEL = "model.language_model."
_DTYPES = {"F32": torch.float32, "BF16": torch.bfloat16, "F16": torch.float16}


def save_base_and_adapter(
    folder: Path,
    model: LlavaForConditionalGeneration,
    adapted: PeftModel,
    tokenizer: Any,
    image_processor: Any,
    files: dict[str, str] | None = None,
) -> None:
    """Writes both parts or neither; the model stays as it is.

    `adapted` is what `get_peft_model(model.model.language_model, ...)` returned, not yet merged.
    `files` are further texts by name, such as the trainer's log; they go into the base.
    """
    with written_whole(folder) as fresh:
        save_checkpoint(fresh / BASE, _without_adapter(model), tokenizer, image_processor, files)
        _save_adapter(fresh / ADAPTER, adapted)


def load_merged(folder: Path) -> tuple[LlavaForConditionalGeneration, Any]:
    """Model and tokenizer of base and adapter, merged; each weight in the dtype it is stored in.

    The weights are those that merging at the end of training gives, bit for bit: with another
    dtype they would be rounded elsewhere.
    """
    model, tokenizer = load_checkpoint(folder / BASE)
    _restore_dtypes(model, folder / BASE)
    return PeftModel.from_pretrained(model, folder / ADAPTER).merge_and_unload(), tokenizer


def _without_adapter(model: LlavaForConditionalGeneration) -> LlavaForConditionalGeneration:
    """The model as it would be had no adapter been put on it; shares its tensors."""
    weights = {
        name.replace(f"{_LANGUAGE_MODEL}{_PEFT}", _LANGUAGE_MODEL).replace(".base_layer.", "."): one
        for name, one in model.state_dict().items()
        if ".lora_" not in name
    }
    with torch.device("meta"):
        plain = type(model)(copy.deepcopy(model.config))
    plain.load_state_dict(weights, assign=True)  # strict: an adapter of another kind fails here
    plain.generation_config = model.generation_config
    return plain


def _save_adapter(folder: Path, adapted: PeftModel) -> None:
    config = copy.copy(adapted.peft_config[adapted.active_adapter])
    assert not config.modules_to_save, "whole modules belong into the base"
    assert not isinstance(config.target_modules, str), "targets are names of layers"
    # As bare names they would match the vision tower's layers too.
    names = "|".join(sorted(config.target_modules))
    config.target_modules = rf"model\.language_model\..*\.({names})"
    config.base_model_name_or_path = None  # the folder beside it, wherever both are moved
    config.inference_mode = True
    folder.mkdir()
    config.save_pretrained(folder)
    weights = {
        f"{_PEFT}{_LANGUAGE_MODEL}{name.removeprefix(_PEFT)}": one.detach().contiguous().cpu()
        for name, one in get_peft_model_state_dict(adapted, save_embedding_layers=False).items()
    }
    save_file(weights, folder / "adapter_model.safetensors", metadata={"format": "pt"})


def _restore_dtypes(model: LlavaForConditionalGeneration, folder: Path) -> None:
    """Frozen weights may be stored in bfloat16 beside a projector in full precision."""
    stored: dict[str, torch.dtype] = {}
    for path in folder.glob("*.safetensors"):
        with safe_open(path, "pt") as file:
            stored |= {name: _DTYPES[file.get_slice(name).get_dtype()] for name in file.keys()}  # noqa: SIM118
    for name, parameter in model.named_parameters():
        parameter.data = parameter.data.to(stored[classic_name(name)])
