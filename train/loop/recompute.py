"""What of the language model's forward pass is computed again in the backward pass."""

from functools import partial
from typing import Any

import torch

from train.scale import Checkpointing

_aten = torch.ops.aten
# Matrix products and attention are what time goes into; all else is cheap to do twice.
KEPT = [
    _aten.mm.default,
    _aten.addmm.default,
    _aten.bmm.default,
    _aten._scaled_dot_product_flash_attention.default,
    _aten._scaled_dot_product_efficient_attention.default,
    _aten._scaled_dot_product_cudnn_attention.default,
    _aten._scaled_dot_product_flash_attention_for_cpu.default,
]


def recompute(language_model: Any, kind: Checkpointing) -> None:
    """Turns gradient checkpointing of the layers on as asked for."""
    if kind is Checkpointing.NONE:
        return
    settings: dict[str, Any] = {"use_reentrant": False}
    if kind is Checkpointing.SELECTIVE:
        from torch.utils.checkpoint import create_selective_checkpoint_contexts

        settings["context_fn"] = partial(create_selective_checkpoint_contexts, KEPT)
    language_model.gradient_checkpointing_enable(settings)
