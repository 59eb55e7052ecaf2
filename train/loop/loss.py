"""The model with its loss: cross-entropy on the supervised tokens of packed rows, nothing else.

A row is several conversations end to end. Each attends to itself alone: queries, keys and values
are cut at the documents' ends and go through PyTorch's own causal attention one after another, the
flash kernel on a GPU. No mask of row x row is ever made, and nothing leaks from one to another.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, LlavaForConditionalGeneration

from palo.errors import MissingResource
from train.data.steps import Row
from train.model.assembly import text_only_loss
from train.scale import Attention, Checkpointing, LossKernel

# (hidden (N, size), head, target (N,)) -> the sum of N cross-entropies
SumLoss = Callable[[torch.Tensor, nn.Linear, torch.Tensor], torch.Tensor]


class Learner(nn.Module):
    """Sums of cross-entropy by language; the head is computed for supervised tokens only.

    `loss` is the row's sum divided by `num_items`, the supervised tokens of the whole step over all
    processes, so that the sum over a step's rows is the mean over its tokens, however packed.
    """

    def __init__(
        self,
        model: LlavaForConditionalGeneration,
        num_languages: int = 1,
        attends: Attention = Attention.DOCUMENTS,
        kernel: LossKernel = LossKernel.AUTO,
    ) -> None:
        super().__init__()
        self.model, self.num_languages, self.attends = model, num_languages, attends
        self.sum_loss = sum_loss(kernel)
        model.model.language_model.set_attn_implementation(attends.value)
        # Where a cache may be kept, transformers does not see that rows are packed.
        text_config: Any = model.config.text_config
        text_config.use_cache = False

    def forward(self, row: Row, num_items: int | None = None) -> dict[str, torch.Tensor]:
        """`loss` is a scalar, `by_language` (num_languages,) detached sums."""
        packed: dict[str, Any] = {}
        if self.attends is Attention.DOCUMENTS:
            packed["documents"] = Documents(row.document_lengths)
        hidden = self.model.model(
            input_ids=row.input_ids,
            pixel_values=row.pixel_values,
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


AttentionInterface.register(Attention.DOCUMENTS, documents_attention)


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
