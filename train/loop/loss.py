"""The model with its loss: cross-entropy on the supervised tokens of packed rows, nothing else.

A row is several conversations end to end. Each attends to itself alone: on a GPU in one flash
kernel that is given the documents' ends; elsewhere queries, keys and values are cut there and go
through PyTorch's own causal attention one after another. No mask of row x row is ever made, and
nothing leaks from one to another.
"""

import os
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.nn.attention.varlen import varlen_attn
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, LlavaForConditionalGeneration

from palo.engines.stream import avoid_cudnn_attention
from palo.errors import MissingResource
from train.data.images import normalised
from train.data.steps import Row
from train.model.assembly import text_only_loss
from train.scale import Attention, Checkpointing, LossKernel

# (hidden (N, size), head, target (N,)) -> the sum of N cross-entropies
SumLoss = Callable[[torch.Tensor, nn.Linear, torch.Tensor], torch.Tensor]

CAUSAL = (-1, 0)  # varlen_attn's window: all before, nothing after


class Learner(nn.Module):
    """Sums of cross-entropy by language; the head is computed for supervised tokens only.

    `loss` is the row's sum divided by `num_items`, the supervised tokens of the whole step over all
    processes, so that the sum over a step's rows is the mean over its tokens, however packed.
    """

    def __init__(
        self,
        model: LlavaForConditionalGeneration,
        num_languages: int = 1,
        attends: Attention = Attention.AUTO,
        kernel: LossKernel = LossKernel.AUTO,
    ) -> None:
        super().__init__()
        avoid_cudnn_attention()
        text_config: Any = model.config.text_config
        self.model, self.num_languages = model, num_languages
        self.attends = attention_for(attends, text_config, capability())
        self.sum_loss = sum_loss(kernel)
        model.model.language_model.set_attn_implementation(self.attends.value)
        # Where a cache may be kept, transformers does not see that rows are packed.
        text_config.use_cache = False

    def forward(self, row: Row, num_items: int | None = None) -> dict[str, torch.Tensor]:
        """`loss` is a scalar, `by_language` (num_languages,) detached sums."""
        packed: dict[str, Any] = {}
        if self.attends is Attention.DOCUMENTS:
            packed["documents"] = Documents(row.document_lengths)
        elif self.attends is Attention.VARLEN:
            packed["document_ends"] = row.document_ends
            packed["longest"] = max(row.document_lengths)
        hidden = self.model.model(
            input_ids=row.input_ids,
            pixel_values=None if row.pixel_values is None else normalised(row.pixel_values),
            position_ids=row.position_ids,
            use_cache=False,
            **packed,
        ).last_hidden_state[0]
        by_language = hidden.new_zeros(self.num_languages, dtype=torch.float32)
        total = hidden.sum() * 0.0  # a row may have nothing to learn, and still takes part
        if not row.groups:  # with every parameter, or the processes would wait for one another
            total = total + self.model.lm_head(hidden[:1]).sum() * 0.0
        start = 0
        for language, count in row.groups:
            chosen = slice(start, start + count)
            learning, targets = hidden[row.supervised[chosen]], row.targets[chosen]
            loss = self.sum_loss(learning, self.model.lm_head, targets)
            by_language[language] += loss.detach()
            total, start = total + loss, start + count
        if row.pixel_values is None:
            total = total + text_only_loss(self.model)
        num_items = num_items or max(1, len(row.targets))
        return {"loss": total / num_items, "by_language": by_language}


def sum_loss(kernel: LossKernel) -> SumLoss:
    """Raises MissingResource where Liger is asked for and not to be had."""
    if kernel is LossKernel.TORCH:
        return _torch_sum
    try:
        from liger_kernel.transformers import LigerFusedLinearCrossEntropyLoss
    except ImportError:
        if kernel is LossKernel.LIGER:
            raise MissingResource(
                "loss_kernel: liger needs the package liger-kernel and a GPU. Install it "
                "(pip install liger-kernel), or set loss_kernel: torch in the scale."
            ) from None
        return _torch_sum

    def liger_sum(hidden: torch.Tensor, head: nn.Linear, target: torch.Tensor) -> torch.Tensor:
        """Head and loss in one, in pieces: the logits are never held."""
        kernel_loss = LigerFusedLinearCrossEntropyLoss(reduction="sum")
        return kernel_loss(head.weight.to(hidden.dtype), hidden, target)

    return liger_sum if torch.cuda.is_available() else _torch_sum


def _torch_sum(hidden: torch.Tensor, head: nn.Linear, target: torch.Tensor) -> torch.Tensor:
    return nn.functional.cross_entropy(head(hidden).float(), target, reduction="sum")


def capability() -> tuple[int, int] | None:
    """Of this process's GPU; None on a CPU."""
    if not torch.cuda.is_available():
        return None
    return torch.cuda.get_device_capability(int(os.environ.get("LOCAL_RANK", "0")))


def attention_for(asked: Attention, text_config: Any, device: tuple[int, int] | None) -> Attention:
    """What a model attends by on a GPU of that compute capability (None: a CPU), by what torch's
    flash kernel takes. Raises MissingResource where `varlen` is asked for and not to be had."""
    size = getattr(text_config, "head_dim", None)
    size = size or text_config.hidden_size // text_config.num_attention_heads
    lacks = ""
    if device is None:
        lacks = "there is none here"
    elif device < (8, 0):
        lacks = "this one has {}.{}".format(*device)
    elif size > 256 or size % 8:
        lacks = f"these are {size} wide"
    elif text_config.attention_dropout:
        lacks = f"this model has attention_dropout {text_config.attention_dropout:g}"
    if asked is Attention.VARLEN and lacks:
        raise MissingResource(
            "attention: varlen needs an NVIDIA GPU of compute capability 8.0 or later, and heads "
            f"of 8, 16, ... 256 without dropout; {lacks}. Set attention: auto in the scale."
        )
    if asked is Attention.AUTO:
        return Attention.DOCUMENTS if lacks else Attention.VARLEN
    return asked


class Documents:
    """The lengths of a row's documents; to the compiler one thing, not numbers to compile for."""

    def __init__(self, lengths: tuple[int, ...]) -> None:
        self.lengths = lengths


@torch.compiler.disable  # it splits each row elsewhere: compiled, it would be anew for each
def documents_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    documents: Documents | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """(1, heads, row, size) each -> (1, row, heads, size); `documents`: lengths, None for one."""
    lengths = documents.lengths if documents else (query.shape[2],)
    assert attention_mask is None, "packed rows have no mask"
    assert sum(lengths) == query.shape[2], "documents and row differ in length"
    grouped = key.shape[1] != query.shape[1]
    by_document = (tensor.split(lengths, dim=2) for tensor in (query, key, value))
    parts = [
        scaled_dot_product_attention(
            q, k, v, dropout_p=dropout, scale=scaling, is_causal=True, enable_gqa=grouped
        )
        for q, k, v in zip(*by_document, strict=True)
    ]
    return torch.cat(parts, dim=2).transpose(1, 2), None


def varlen_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    document_ends: torch.Tensor | None = None,
    longest: int = 0,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """The same by `document_ends`, (documents + 1,) of int32; `longest`: document's length."""
    assert attention_mask is None, "packed rows have no mask"
    assert dropout == 0, "the kernel drops nothing out"
    assert document_ends is not None, "rows say where their documents end"
    device = query.device.type
    # Not on autocast's list: rotated queries and keys come as wide as the weights are.
    short = torch.is_autocast_enabled(device)
    dtype = torch.get_autocast_dtype(device) if short else value.dtype
    are_grouped = key.shape[1] != query.shape[1]
    query, key, value = (part[0].transpose(0, 1).to(dtype) for part in (query, key, value))
    attended = varlen_attn(
        query, key, value, document_ends, document_ends, longest, longest,
        scale=scaling, window_size=CAUSAL, enable_gqa=are_grouped,
    )  # fmt: skip
    assert isinstance(attended, torch.Tensor)
    return attended[None], None


# Neither name has a mask function, so transformers makes no mask.
AttentionInterface.register(Attention.DOCUMENTS, documents_attention)
AttentionInterface.register(Attention.VARLEN, varlen_attention)


_aten = torch.ops.aten
# Matrix products and attention are what time goes into; all else is cheap to do twice.
KEPT = [
    _aten.mm.default,
    _aten.addmm.default,
    _aten.bmm.default,
    torch.ops.torch_attn._varlen_attn.default,
    _aten._scaled_dot_product_flash_attention.default,
    _aten._scaled_dot_product_efficient_attention.default,
    _aten._scaled_dot_product_cudnn_attention.default,
    _aten._scaled_dot_product_flash_attention_for_cpu.default,
]


def recompute(language_model: Any, kind: Checkpointing) -> None:
    """Turns gradient checkpointing of the layers on as asked for."""
    assert kind is not Checkpointing.AUTO, "the planner says what it is"
    if kind is Checkpointing.NONE:
        language_model.gradient_checkpointing_disable()  # the stage before may have had it on
        return
    settings: dict[str, Any] = {"use_reentrant": False}
    if kind is Checkpointing.SELECTIVE:
        from torch.utils.checkpoint import create_selective_checkpoint_contexts

        settings["context_fn"] = partial(create_selective_checkpoint_contexts, KEPT)
    language_model.gradient_checkpointing_enable(settings)
