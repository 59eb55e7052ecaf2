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

    torch.manual_seed(seed)
    return get_peft_model(
        language_model,
        LoraConfig(
            r=lora.rank,
            lora_alpha=lora.alpha,
            lora_dropout=lora.dropout,
            target_modules=list(TARGETS),
        ),
    )
