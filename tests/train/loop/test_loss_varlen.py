"""The flash kernel for rows of documents; on a CPU its two operators have a slow kernel in their
place, and all that lies before and after them is PyTorch's."""

from collections.abc import Iterator
from itertools import pairwise
from types import SimpleNamespace

import pytest
import torch
from torch.nn.attention import varlen
from torch.nn.functional import scaled_dot_product_attention

from palo.errors import MissingResource
from tests.train.loop.conftest import assert_close, gradients, losses_of, make_data, make_learner
from train.loop import loss
from train.loop.loss import Documents, attention_for, documents_attention, recompute
from train.loop.loss import varlen_attention as ours
from train.scale import Attention, Checkpointing

AMPERE, TURING = (8, 0), (7, 5)
CALLS: list[tuple[torch.dtype, int, int]] = []


def by_document(query, key, value, ends, scale):
    """(tokens, heads, size) each, one document after another."""
    parts = [
        scaled_dot_product_attention(
            *(x[start:end].transpose(0, 1) for x in (query, key, value)),
            is_causal=True, scale=scale, enable_gqa=query.shape[1] != key.shape[1],
        ).transpose(0, 1)
        for start, end in pairwise(ends)
    ]  # fmt: skip
    return torch.cat(parts)


def forward(query, key, value, cu_q, cu_k, max_q, max_k, is_causal, scale, window, *more):
    assert cu_q.dtype == torch.int32
    assert cu_q.equal(cu_k)
    assert query.dtype == key.dtype == value.dtype
    assert all(x.stride(-1) == 1 for x in (query, key, value))
    assert (is_causal, window, max_q) == (True, [-1, 0], max_k)
    assert max_q == int(cu_q.diff().max())
    CALLS.append((query.dtype, query.shape[1], key.shape[1]))
    out = by_document(query, key, value, cu_q.tolist(), scale)
    lse = torch.zeros(query.shape[1], query.shape[0])
    return out.contiguous(), lse, torch.zeros(2, dtype=torch.uint64)


def backward(grad, query, key, value, out, lse, cu_q, cu_k, max_q, max_k, causal, rng, scale, _):
    """By hand: beneath the operator nothing is differentiated."""
    groups = query.shape[1] // key.shape[1]
    wide = [x.repeat_interleave(groups, 1) for x in (key, value)]
    grads = [torch.zeros_like(query) for _ in range(3)]
    for start, end in pairwise(cu_q.tolist()):
        q, k, v, g = (x[start:end].transpose(0, 1).double() for x in (query, *wide, grad))
        future = torch.ones(end - start, end - start, dtype=torch.bool).triu(1)
        weights = (q @ k.mT * scale).masked_fill(future, -torch.inf).softmax(-1)
        of_weights = g @ v.mT
        scores = weights * (of_weights - (of_weights * weights).sum(-1, keepdim=True)) * scale
        for whole, part in zip(grads, (scores @ k, scores.mT @ q, weights.mT @ g), strict=True):
            whole[start:end] = part.transpose(0, 1)
    of_query, *others = grads
    return of_query, *(x.unflatten(1, (-1, groups)).sum(2) for x in others)


varlen._varlen_attn.register_kernel("cpu", forward)
varlen._varlen_attn_backward.register_kernel("cpu", backward)


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    """An Ampere card, as far as the choice of attention goes."""
    CALLS.clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loss, "capability", lambda: AMPERE)
        yield


def llama(size=64, dropout=0.0, **more):
    return SimpleNamespace(
        hidden_size=4 * size, num_attention_heads=4, attention_dropout=dropout, **more
    )


def test_a_card_that_has_the_kernel_uses_it_and_all_others_go_on_as_before():
    assert attention_for(Attention.AUTO, llama(), AMPERE) is Attention.VARLEN
    assert attention_for(Attention.AUTO, llama(), (9, 0)) is Attention.VARLEN
    assert attention_for(Attention.AUTO, llama(20, head_dim=128), AMPERE) is Attention.VARLEN
    for config, device in [
        (llama(), None),
        (llama(), TURING),
        (llama(20), AMPERE),
        (llama(264), AMPERE),
        (llama(dropout=0.1), AMPERE),
    ]:
        assert attention_for(Attention.AUTO, config, device) is Attention.DOCUMENTS
    assert attention_for(Attention.DOCUMENTS, llama(), AMPERE) is Attention.DOCUMENTS


@pytest.mark.parametrize(
    ("config", "device", "why"),
    [
        (llama(), None, "there is none here"),
        (llama(), TURING, "this one has 7.5"),
        (llama(20), AMPERE, "these are 20 wide"),
        (llama(dropout=0.1), AMPERE, "this model has attention_dropout 0.1"),
    ],
)
def test_the_kernel_by_name_is_refused_where_it_cannot_be_had(config, device, why):
    with pytest.raises(MissingResource, match=rf"{why}\. Set attention: auto in the scale\."):
        attention_for(Attention.VARLEN, config, device)


@pytest.mark.parametrize("key_heads", [4, 2])
def test_it_is_attention_one_document_after_another(key_heads):
    lengths, random = (3, 1, 5), torch.Generator().manual_seed(1)
    tensors = [torch.randn(1, count, 9, 8, generator=random) for count in (4, key_heads, key_heads)]
    wanted, _ = documents_attention(
        torch.nn.Identity(), *tensors, None, scaling=0.3, documents=Documents(lengths)
    )
    ends = torch.tensor([0, 3, 4, 9], dtype=torch.int32)
    got, _ = ours(torch.nn.Identity(), *tensors, None, scaling=0.3, document_ends=ends, longest=5)
    torch.testing.assert_close(got, wanted)
    assert [(torch.float32, 4, key_heads)] == CALLS


def learned(tmp_path, attends, kind=Checkpointing.NONE):
    learner, tokenizer = make_learner(attends=attends)
    data = make_data(tmp_path, learner, tokenizer)
    recompute(learner.model.model.language_model, kind)
    learner.train()
    CALLS.clear()
    told = losses_of(learner, data.packer.row(data._items([0, 3, 1, 7])))["loss"]
    told.backward()
    return learner, float(told.detach()), gradients(learner)


def test_loss_and_gradients_are_those_of_one_document_after_another(tmp_path):
    _, wanted, theirs = learned(tmp_path, Attention.DOCUMENTS)
    assert CALLS == []
    learner, told, mine = learned(tmp_path, Attention.AUTO)
    assert learner.attends is Attention.VARLEN
    assert len(CALLS) == 1  # of one layer
    assert abs(told - wanted) < 1e-5
    assert_close(mine, theirs)


@pytest.mark.parametrize(("kind", "calls"), [(Checkpointing.SELECTIVE, 1), (Checkpointing.FULL, 2)])
def test_selective_recomputation_keeps_what_the_kernel_gave(tmp_path, kind, calls):
    _, _, theirs = learned(tmp_path, Attention.VARLEN)
    _, _, mine = learned(tmp_path, Attention.VARLEN, kind)
    assert len(CALLS) == calls
    assert_close(mine, theirs, 1e-6)


def test_under_autocast_rotated_queries_and_keys_are_made_as_short_as_the_values(tmp_path):
    learner, tokenizer = make_learner(attends=Attention.AUTO)
    data = make_data(tmp_path, learner, tokenizer)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        told = losses_of(learner, data.packer.row(data._items([0, 3])))["loss"]
    told.backward()
    assert [dtype for dtype, *_ in CALLS] == [torch.bfloat16]
    assert torch.isfinite(told)


def test_who_trains_turns_cudnns_attention_off():
    torch.backends.cuda.enable_cudnn_sdp(True)
    make_learner()
    assert not torch.backends.cuda.cudnn_sdp_enabled()


@pytest.mark.gpu
@pytest.mark.parametrize("key_heads", [4, 2])
def test_the_cards_kernel_gives_what_the_cpu_gives(key_heads):
    lengths, random = (300, 1, 40, 171), torch.Generator().manual_seed(1)
    ends = torch.tensor([0, 300, 301, 341, 512], dtype=torch.int32)
    tensors = [
        torch.randn(1, heads, 512, 64, generator=random).to(torch.bfloat16)
        for heads in (4, key_heads, key_heads)
    ]
    grad = torch.randn(1, 512, 4, 64, generator=random).to(torch.bfloat16)

    def done(device, attend, **of):
        given = [x.to(device, copy=True).requires_grad_() for x in tensors]
        out, _ = attend(torch.nn.Identity(), *given, None, **of)
        out.backward(grad.to(device))
        return [x.detach().cpu().float() for x in (out, *(x.grad for x in given))]

    theirs = done("cpu", documents_attention, documents=Documents(lengths))
    mine = done("cuda", ours, document_ends=ends.cuda(), longest=300)
    for got, want in zip(mine, theirs, strict=True):
        torch.testing.assert_close(got, want, atol=0.03, rtol=0.03)
