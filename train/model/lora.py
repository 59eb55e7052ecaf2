"""Adapters on every linear layer of the language model, as PALO's 7B and 13B are trained."""

from typing import Any

import torch

from train.scale import Lora

TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


def add_adapters(language_model: Any, lora: Lora, seed: int) -> Any:
    """Puts fresh adapters into the language model, which is then the only part of it that learns.

    The seed makes them start alike, whatever was drawn before. Returns
    peft's wrapper, which merges.
    """
    from peft import LoraConfig, get_peft_model
    from peft.tuners.lora import LoraLayer

    torch.manual_seed(seed)
    adapted = get_peft_model(
        language_model,
        LoraConfig(
            r=lora.rank,
            lora_alpha=lora.alpha,
            lora_dropout=lora.dropout,
            target_modules=list(TARGETS),
        ),
    )
    for module in adapted.modules():
        if isinstance(module, LoraLayer):
            # peft would widen each input to the adapters' fp32, drop out, and let autocast narrow
            # it again: the same numbers at several times the memory traffic
            module.cast_input_dtype_enabled = False
    return adapted
