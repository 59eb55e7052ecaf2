import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention

from train.loop.loss import Documents, documents_attention

LENGTHS = (3, 1, 5)


def tensors(heads, key_heads):
    random = torch.Generator().manual_seed(1)
    return [
        torch.randn(1, count, sum(LENGTHS), 8, generator=random)
        for count in (heads, key_heads, key_heads)
    ]


@pytest.mark.parametrize("key_heads", [4, 2])
def test_it_is_attention_under_a_block_diagonal_causal_mask(key_heads):
    query, key, value = tensors(4, key_heads)
    number = torch.repeat_interleave(torch.arange(3), torch.tensor(LENGTHS))
    mask = (number[:, None] == number[None, :]).tril()
    wanted = scaled_dot_product_attention(
        query, key, value, attn_mask=mask, enable_gqa=key_heads != 4
    )
    ours, _ = documents_attention(
        torch.nn.Identity(), query, key, value, None, documents=Documents(LENGTHS)
    )
    torch.testing.assert_close(ours, wanted.transpose(1, 2))


def test_without_lengths_a_row_is_one_document():
    query, key, value = tensors(4, 4)
    wanted = scaled_dot_product_attention(query, key, value, is_causal=True)
    ours, _ = documents_attention(torch.nn.Identity(), query, key, value, None)
    torch.testing.assert_close(ours, wanted.transpose(1, 2))


def test_lengths_that_do_not_add_up_are_a_mistake():
    query, key, value = tensors(4, 4)
    with pytest.raises(AssertionError, match="differ in length"):
        documents_attention(
            torch.nn.Identity(), query, key, value, None, documents=Documents((3, 3))
        )
