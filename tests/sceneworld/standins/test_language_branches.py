import torch

from sceneworld.standins.language import ATTENTION, branches_of
from sceneworld.standins.tiny import tiny_llama, train_tokenizer

# Places 0 and 1 begin all texts, 2 and 3 the first two: three ways through nine places.
WAYS = ([0, 1, 2, 3, 4], [0, 1, 2, 3, 5, 6], [0, 1, 7, 8])


def make_model():
    tokenizer = train_tokenizer(["a red circle"], 300)
    return tiny_llama(tokenizer, 32, 2, 2, seed=3)


def row_hidden(model, row):
    branches = branches_of(WAYS, 9)
    model.set_attn_implementation(ATTENTION)
    return model.model(
        inputs_embeds=row[None],
        position_ids=branches.positions,
        use_cache=False,
        branches=branches,
    ).last_hidden_state[0]


def test_every_branch_reads_as_it_does_alone_and_teaches_the_same():
    model = make_model()
    row = torch.randn(9, 32, generator=torch.Generator().manual_seed(1))
    alone = [model.model(inputs_embeds=row[None, way]).last_hidden_state[0] for way in WAYS]
    # of what is shared, one branch's output is learned from: that of the first
    loss = alone[0].square().sum() + alone[1][4:].square().sum() + alone[2][2:].square().sum()
    expected = torch.autograd.grad(loss, list(model.model.layers.parameters()))
    ours = row_hidden(model, row)
    for way, hidden in zip(WAYS, alone, strict=True):
        torch.testing.assert_close(ours[way], hidden, atol=1e-5, rtol=1e-5)
    gradients = torch.autograd.grad(ours.square().sum(), list(model.model.layers.parameters()))
    for gradient, theirs in zip(gradients, expected, strict=True):
        torch.testing.assert_close(gradient, theirs, atol=1e-3, rtol=1e-4)


def test_places_count_on_from_where_their_branch_left_what_is_shared():
    assert branches_of(WAYS, 9).positions.tolist() == [[0, 1, 2, 3, 4, 4, 5, 2, 3]]
