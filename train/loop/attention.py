"""Causal attention within each document of a packed row, registered with transformers.

A row is several conversations end to end. Each attends to itself alone: queries, keys and values
are cut at the documents' ends and go through PyTorch's own causal attention one after another, the
flash kernel on a GPU. No mask of row x row is ever made, and nothing leaks from one to another.
"""

from typing import Any

import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface

from train.scale import Attention


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
    """(1, heads, row, size) each -> (1, row, heads, size).

    Lengths of `documents` sum up to the row's; None: the row is one document.
    """
    lengths = documents.lengths if documents else (query.shape[2],)
    assert attention_mask is None, "packed rows have no mask"
    assert sum(lengths) == query.shape[2], "documents and row differ in length"
    grouped = key.shape[1] != query.shape[1]
    parts = [
        scaled_dot_product_attention(
            q, k, v, dropout_p=dropout, scale=scaling, is_causal=True, enable_gqa=grouped
        )
        for q, k, v in zip(
            *(tensor.split(lengths, dim=2) for tensor in (query, key, value)), strict=True
        )
    ]
    return torch.cat(parts, dim=2).transpose(1, 2), None


AttentionInterface.register(Attention.DOCUMENTS, documents_attention)
