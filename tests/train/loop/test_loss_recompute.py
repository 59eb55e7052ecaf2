import pytest

from tests.train.loop.conftest import assert_close, gradients, losses_of, make_data, make_learner
from train.loop.loss import recompute
from train.scale import Checkpointing


@pytest.mark.parametrize("kind", [Checkpointing.SELECTIVE, Checkpointing.FULL])
def test_gradients_are_the_same_whatever_is_computed_again(tmp_path, kind):
    found = {}
    for one in (Checkpointing.NONE, kind):
        learner, tokenizer = make_learner()
        data = make_data(tmp_path, learner, tokenizer)
        recompute(learner.model.model.language_model, one)
        learner.train()
        losses_of(learner, data.packer.row(data._items([0, 2, 5])))["loss"].backward()
        found[one] = gradients(learner)
    assert_close(found[Checkpointing.NONE], found[kind], 1e-6)


def test_full_recomputation_runs_each_layer_twice(tmp_path):
    learner, tokenizer = make_learner()
    data = make_data(tmp_path, learner, tokenizer)
    runs = []
    layer = learner.model.model.language_model.layers[0]
    layer.self_attn.q_proj.register_forward_hook(lambda *args: runs.append(1))
    # a stage after another, whose memory may do for less
    ways = (Checkpointing.NONE, 1), (Checkpointing.FULL, 2), (Checkpointing.NONE, 1)
    for kind, wanted in ways:
        runs.clear()
        recompute(learner.model.model.language_model, kind)
        learner.train()
        losses_of(learner, data.packer.row(data._items([2])))["loss"].backward()
        assert len(runs) == wanted
