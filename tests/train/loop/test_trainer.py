import pytest
import torch

from palo.schemas import Role, Turn
from tests.train.conftest import make_model, make_scale, make_tokenizer
from train.data.batches import Collator, Pictures, SetAside, TrainingData
from train.data.images import make_processor
from train.data.mixture import Example
from train.data.template import Template
from train.loop.trainer import (
    COMPLETE,
    EpochSampler,
    Learner,
    StageTrainer,
    arguments,
    newest_complete,
    run_stage,
    total_steps,
)
from train.scale import Stage

STAGE = Stage(learning_rate=1e-2, batch_size=4, epochs=2, save_every_steps=2, weight_decay=0.1)


def tick(advance=1, text=""):
    return None


def make_parts(tmp_path, name="7b"):
    tokenizer = make_tokenizer()
    model = make_model(make_scale(name), tokenizer)
    config = model.config
    collator = Collator(config.image_token_id, config.image_seq_length, tokenizer.pad_token_id)
    examples = [
        Example(str(n), "en", None, (Turn(Role.HUMAN, f"Is it {n}?"), Turn(Role.GPT, f"Yes, {n}.")))
        for n in range(11)
    ]
    data = TrainingData(
        examples,
        Template(tokenizer),
        Pictures(make_processor(64)),
        config.image_seq_length,
        600,
        SetAside(tmp_path / "aside.jsonl"),
    )
    return model, data, collator


def weights(model):
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def test_the_loss_equals_the_stock_models(tmp_path):
    model, data, collator = make_parts(tmp_path)
    batch = collator([data[0], data[7]])
    ours = Learner(model)(**batch)["loss"]
    torch.testing.assert_close(ours, model(**batch).loss)


def test_the_loss_of_a_step_is_the_mean_over_all_its_tokens(tmp_path):
    model, data, collator = make_parts(tmp_path)
    learner = Learner(model)
    count = lambda batch: (batch["labels"] != -100).sum()  # noqa: E731
    one, two, both = (collator([data[i] for i in rows]) for rows in ([0], [10], [0, 10]))
    total = count(one) + count(two)
    parts = sum(learner(**b, num_items_in_batch=total)["loss"] for b in (one, two))
    torch.testing.assert_close(parts, learner(**both)["loss"])


@pytest.mark.parametrize("name", ["7b", "1.7b"])
def test_a_batch_of_text_alone_reaches_the_projector_with_a_zero_gradient(tmp_path, name):
    model, data, collator = make_parts(tmp_path, name)
    Learner(model)(**collator([data[0]]))["loss"].backward()
    gradients = [p.grad for p in model.model.multi_modal_projector.parameters()]
    assert all(gradient is not None for gradient in gradients)
    assert all(not gradient.any() for gradient in gradients)


def test_the_projector_has_its_own_learning_rate(tmp_path):
    model, data, collator = make_parts(tmp_path)
    stage = STAGE.model_copy(update={"projector_learning_rate": 1e-4})
    trainer = StageTrainer(
        Learner(model),
        data,
        stage,
        args=arguments(tmp_path, stage, len(data), 1),
        data_collator=collator,
    )
    rates = {
        name: group["lr"]
        for group in trainer.create_optimizer().param_groups
        for name, parameter in model.named_parameters()
        if any(parameter is one for one in group["params"])
    }
    assert rates["model.multi_modal_projector.linear_1.weight"] == 1e-4
    assert rates["model.language_model.layers.0.mlp.up_proj.weight"] == 1e-2


def test_a_resumed_run_ends_with_the_very_weights_of_an_undisturbed_one(tmp_path):
    model, data, collator = make_parts(tmp_path)
    run_stage(model, data, collator, STAGE, tmp_path / "whole", 5, tick)
    stopped, data, collator = make_parts(tmp_path)

    def stop(advance=1, text=""):
        nonlocal seen
        seen += 1
        if seen == 4:
            raise KeyboardInterrupt

    seen = 0
    with pytest.raises(KeyboardInterrupt):
        run_stage(stopped, data, collator, STAGE, tmp_path / "cut", 5, stop)
    assert newest_complete(tmp_path / "cut").name == "checkpoint-2"
    resumed, data, collator = make_parts(tmp_path)
    run_stage(resumed, data, collator, STAGE, tmp_path / "cut", 5, tick)
    ours, theirs = weights(resumed), weights(model)
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_a_half_written_checkpoint_is_removed_and_the_one_before_is_taken(tmp_path):
    for step in (2, 4):
        (tmp_path / f"checkpoint-{step}").mkdir()
    (tmp_path / "checkpoint-2" / COMPLETE).touch()
    assert newest_complete(tmp_path) == tmp_path / "checkpoint-2"
    assert not (tmp_path / "checkpoint-4").exists()


def test_epochs_differ_and_the_sampler_gives_the_same_epoch_again():
    sampler = EpochSampler(list(range(40)), 4, 1)
    first = list(sampler)
    sampler.set_epoch(1)
    assert list(sampler) != first
    sampler.set_epoch(0)
    assert list(sampler) == first


@pytest.mark.parametrize(("samples", "steps"), [(8, 4), (9, 6), (1, 2)])
def test_steps_of_two_epochs(samples, steps):
    assert total_steps(STAGE, samples) == steps
