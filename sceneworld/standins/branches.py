"""Texts that begin alike in one row: what they share is computed once, and nothing is padding.

Every conversation begins with the system sentence, and riddles of one description with its slots.
A row holds each such piece once; a branch is the way through the row that one text reads, from the
beginning to its own end. Only attention sees branches side by side. What comes out, and every
gradient, is what texts one by one would give.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface

ATTENTION = "branches"


@dataclass(frozen=True)
class Branches:
    """B branches, none longer than L, through a row of N places."""

    ways: torch.Tensor  # (B * L,) places in the row; past a branch's end, any
    shape: tuple[int, int]  # B, L
    read_at: torch.Tensor  # (N,) of each place, where in `ways` it comes: the first branch has it
    positions: torch.Tensor  # (1, N) of each place in its branch


def branches_of(ways: Sequence[Sequence[int]], num_places: int) -> Branches:
    """Every place must be in some way, at the same position in all that it is in."""
    length = max(map(len, ways))
    laid = torch.zeros(len(ways), length, dtype=torch.long)
    for branch, way in enumerate(ways):
        laid[branch, : len(way)] = torch.tensor(way)
    read_at = torch.zeros(num_places, dtype=torch.long)
    for branch in range(len(ways) - 1, -1, -1):
        read_at[ways[branch]] = torch.arange(len(ways[branch])) + branch * length
    return Branches(laid.flatten(), (len(ways), length), read_at, (read_at % length)[None])


def branch_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    branches: Branches | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """(1, heads, N, size) each -> (1, N, heads, size)."""
    assert attention_mask is None, "a row of branches has no mask"
    assert branches is not None, "a row must say its branches"
    heads, size = query.shape[1], query.shape[3]

    def laid_out(tensor: torch.Tensor) -> torch.Tensor:
        places = tensor[0].transpose(0, 1).flatten(1)
        chosen = places.index_select(0, branches.ways)
        return chosen.view(*branches.shape, heads, size).transpose(1, 2)

    out = scaled_dot_product_attention(
        laid_out(query), laid_out(key), laid_out(value), scale=scaling, is_causal=True
    )
    flat = out.transpose(1, 2).flatten(0, 1).flatten(1)
    return flat.index_select(0, branches.read_at).view(1, -1, heads, size), None


AttentionInterface.register(ATTENTION, branch_attention)
