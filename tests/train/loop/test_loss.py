import pytest
import torch

from palo.errors import MissingResource
from tests.train.loop.conftest import assert_close, gradients, losses_of, make_data, make_learner
from train.data.images import normalised
from train.data.template import IGNORED
from train.loop import loss
from train.loop.loss import Documents
from train.scale import LossKernel


def items_of(data, indices):
    return data._items(indices)


def stock_batch(data, item):
    """One conversation as stock LLaVA takes it: no packing, labels beside the tokens."""
    expanded = data.packer.expand(item.encoded)
    batch = {
        "input_ids": torch.tensor([expanded.input_ids]),
        "labels": torch.tensor([expanded.labels]),
    }
    if item.pixels is None:
        return batch
    return {**batch, "pixel_values": normalised(item.pixels[None])}


def supervised(item):
    return sum(label != IGNORED for label in item.encoded.labels[1:])


@pytest.mark.parametrize("name", ["7b", "1.7b"])
def test_loss_and_gradients_of_a_packed_row_are_those_of_its_documents_alone(tmp_path, name):
    learner, tokenizer = make_learner(name)
    data = make_data(tmp_path, learner, tokenizer)
    items = items_of(data, [0, 3, 1, 7])
    count = sum(supervised(item) for item in items)
    packed = losses_of(learner, data.packer.row(items))["loss"]
    packed.backward()
    ours = gradients(learner)
    learner.zero_grad()
    learner.model.model.language_model.set_attn_implementation("sdpa")
    total = 0.0
    for item in items:
        one = learner.model(**stock_batch(data, item), use_cache=False).loss
        (one * supervised(item) / count).backward()
        total += float(one.detach()) * supervised(item) / count
    assert abs(float(packed.detach()) - total) < 1e-5
    assert_close(ours, gradients(learner))


def test_a_document_is_blind_for_its_neighbours(parts):
    learner, data = parts
    items = items_of(data, [3, 5, 7])
    row = data.packer.row(items)
    other = items_of(data, [4, 5, 8])  # the same document between others
    longer = data.packer.row(other)

    def logits(row):
        hidden = learner.model.model(
            input_ids=row.input_ids,
            position_ids=row.position_ids,
            documents=Documents(row.document_lengths),
            use_cache=False,
        ).last_hidden_state[0]
        start = row.document_lengths[0]
        return hidden[start : start + row.document_lengths[1]]

    assert row.document_lengths[0] != longer.document_lengths[0]
    torch.testing.assert_close(logits(row), logits(longer), atol=1e-5, rtol=1e-5)


def test_sums_by_language_add_up_to_the_loss(parts):
    learner, data = parts
    row = data.packer.row(items_of(data, [2, 3, 4]))
    told = losses_of(learner, row)
    english = losses_of(learner, data.packer.row(items_of(data, [2, 4])))
    assert float(told["by_language"].sum()) == pytest.approx(
        told["loss"].item() * len(row.targets), rel=1e-5
    )
    assert float(told["by_language"][0]) == pytest.approx(
        float(english["by_language"][0]), rel=1e-5
    )
    assert float(english["by_language"][1]) == 0


def test_the_rows_of_a_step_add_up_to_the_mean_over_its_tokens(parts):
    learner, data = parts
    apart = [data.packer.row(items_of(data, [index])) for index in (2, 6)]
    together = data.packer.row(items_of(data, [2, 6]))
    count = len(together.targets)
    total = sum(losses_of(learner, row, num_items=count)["loss"].item() for row in apart)
    assert losses_of(learner, together)["loss"].item() == pytest.approx(total, rel=1e-5)


@pytest.mark.parametrize("name", ["7b", "1.7b"])
@pytest.mark.parametrize("chosen", [[4], []])
def test_without_images_or_without_anything_every_parameter_that_learns_has_a_gradient(
    tmp_path, name, chosen
):
    learner, tokenizer = make_learner(name)
    learner.model.model.vision_tower.requires_grad_(False)
    data = make_data(tmp_path, learner, tokenizer)
    losses_of(learner, data.packer.row(items_of(data, chosen)), num_items=5)["loss"].backward()
    for part, parameter in learner.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None, part
            if "multi_modal_projector" in part or not chosen:
                assert not parameter.grad.any(), part


def test_liger_is_asked_for_by_name_only_where_it_can_be_had(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "liger_kernel", None)
    assert loss.sum_loss(LossKernel.AUTO) is loss.sum_loss(LossKernel.TORCH)
    with pytest.raises(MissingResource, match=r"pip install liger-kernel"):
        loss.sum_loss(LossKernel.LIGER)


@pytest.mark.slow
def test_compiled_layers_learn_the_same_and_are_compiled_once_for_all_rows(tmp_path):
    from torch._dynamo.utils import counters

    learner, tokenizer = make_learner()
    data = make_data(tmp_path, learner, tokenizer)
    rows = [data.packer.row(items_of(data, chosen)) for chosen in ([2, 5], [3, 4, 6], [7, 8])]
    wanted = []
    for row in rows:
        learner.zero_grad()
        losses_of(learner, row)["loss"].backward()
        wanted.append(gradients(learner))
    for layer in learner.model.model.language_model.layers:
        layer.compile(dynamic=True)
    graphs = []
    for row, want in zip(rows, wanted, strict=True):
        learner.zero_grad()
        losses_of(learner, row)["loss"].backward()
        assert_close(gradients(learner), want, 1e-5)
        graphs.append(counters["stats"]["unique_graphs"])
    assert graphs[0] > 0
    assert graphs[1:] == graphs[:1] * 2
