"""The model with its loss: cross-entropy on the supervised tokens of packed rows, nothing else."""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from transformers import LlavaForConditionalGeneration

from palo.errors import MissingResource
from train.data.batches import Row
from train.loop import attention
from train.model.assembly import text_only_loss
from train.scale import Attention, LossKernel

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
        model.config.text_config.use_cache = False

    def forward(
        self,
        input_ids: torch.Tensor,
        position_ids: torch.Tensor,
        supervised: torch.Tensor,
        targets: torch.Tensor,
        groups: tuple[tuple[int, int], ...],
        document_lengths: tuple[int, ...],
        pixel_values: torch.Tensor | None = None,
        num_items: int | None = None,
    ) -> dict[str, torch.Tensor]:
        """Fields of a Row; `loss` is a scalar, `by_language` (num_languages,) detached sums."""
        packed: dict[str, Any] = {}
        if self.attends is Attention.DOCUMENTS:
            packed["documents"] = attention.Documents(document_lengths)
        hidden = self.model.model(
            input_ids=input_ids,
            pixel_values=pixel_values,
            position_ids=position_ids,
            use_cache=False,
            **packed,
        ).last_hidden_state[0]
        by_language = hidden.new_zeros(self.num_languages, dtype=torch.float32)
        total = hidden.sum() * 0.0  # a row may have nothing to learn, and still takes part
        if not groups:  # with every parameter, or the processes would wait for one another
            total = total + self.model.lm_head(hidden[:1]).sum() * 0.0
        start = 0
        for language, count in groups:
            chosen = slice(start, start + count)
            one = self.sum_loss(hidden[supervised[chosen]], self.model.lm_head, targets[chosen])
            by_language[language] += one.detach()
            total, start = total + one, start + count
        if pixel_values is None:
            total = total + text_only_loss(self.model)
        return {"loss": total / (num_items or max(1, len(targets))), "by_language": by_language}

    def of(self, row: Row, num_items: int | None = None) -> dict[str, torch.Tensor]:
        """The losses of one row, as the trainer computes them."""
        return self(**row.inputs(), num_items=num_items)


def sum_loss(kernel: LossKernel) -> SumLoss:
    """Raises MissingResource where Liger is asked for and not to be had."""
    if kernel is LossKernel.TORCH:
        return _torch_sum
    try:
        from liger_kernel.ops.fused_linear_cross_entropy import (
            LigerFusedLinearCrossEntropyFunction,  # noqa: F401
        )
    except ImportError:
        if kernel is LossKernel.LIGER:
            raise MissingResource(
                "loss_kernel: liger needs the package liger-kernel and a GPU. Install it "
                "(pip install liger-kernel), or set loss_kernel: torch in the scale."
            ) from None
        return _torch_sum
    return _liger_sum if torch.cuda.is_available() else _torch_sum


def _torch_sum(hidden: torch.Tensor, head: nn.Linear, target: torch.Tensor) -> torch.Tensor:
    return nn.functional.cross_entropy(head(hidden).float(), target, reduction="sum")


def _liger_sum(hidden: torch.Tensor, head: nn.Linear, target: torch.Tensor) -> torch.Tensor:
    """Head and loss in one, in pieces: the logits are never held."""
    from liger_kernel.transformers import LigerFusedLinearCrossEntropyLoss

    weight = head.weight.to(hidden.dtype)
    return LigerFusedLinearCrossEntropyLoss(reduction="sum")(weight, hidden, target)
