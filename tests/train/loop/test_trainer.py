import json

import pytest
import torch

from palo.settings import Tracker
from tests.train.loop.conftest import (
    QUIET,
    STAGE,
    make_data,
    make_job,
    make_learner,
    tick,
    weights,
)
from train.data.packing import total_steps
from train.loop.trainer import (
    StageTrainer,
    TrainingDiverged,
    newest_complete,
    run_stage,
)


def run(folder, ticks=tick, stage=STAGE, **changes):
    learner, tokenizer = make_learner(changes.pop("name", "7b"))
    data = make_data(folder, learner, tokenizer, stage)
    log = run_stage(learner, data, make_job(folder, stage, **changes), ticks)
    return learner, log


def stop_at(step):
    seen = []

    def stop(advance=1, text=""):
        seen.append(advance)
        if sum(seen) == step:
            raise KeyboardInterrupt

    return stop


def test_the_projector_has_its_own_learning_rate(parts, tmp_path):
    learner, data = parts
    stage = STAGE.model_copy(update={"projector_learning_rate": 1e-4})
    trainer = StageTrainer(learner, data, make_job(tmp_path, stage))
    rates = {
        name: group["lr"]
        for group in trainer.create_optimizer().param_groups
        for name, parameter in learner.model.named_parameters()
        if any(parameter is one for one in group["params"])
    }
    assert rates["model.multi_modal_projector.linear_1.weight"] == 1e-4
    assert rates["model.language_model.layers.0.mlp.up_proj.weight"] == 1e-2


def test_a_step_learns_from_the_mean_over_the_tokens_of_its_rows(tmp_path):
    """However many rows the step's conversations are packed into."""
    learned = []
    for row_tokens in (200, 700):
        stage = STAGE.model_copy(update={"row_tokens": row_tokens, "max_steps": 1})
        _, log = run(tmp_path / str(row_tokens), stage=stage)
        learned.append((log[0]["loss"], log[0]["grad_norm"]))
    assert learned[0] == pytest.approx(learned[1], rel=1e-5)


@pytest.mark.parametrize("step", [1, 3, 4, 6])
def test_a_resumed_run_ends_with_the_very_weights_of_an_undisturbed_one(tmp_path, step):
    whole, log = run(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "cut", stop_at(step))
    resumed, again = run(tmp_path / "cut")
    ours, theirs = weights(resumed), weights(whole)
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert [row["loss"] for row in again if "loss" in row] == [
        row["loss"] for row in log if "loss" in row
    ]


def test_a_finished_stage_that_is_run_again_changes_nothing(tmp_path):
    first, _ = run(tmp_path)
    second, _ = run(tmp_path)
    assert all(torch.equal(one, weights(second)[name]) for name, one in weights(first).items())


def test_checkpoints_are_whole_and_the_last_ones_are_kept(tmp_path):
    run(tmp_path)
    names = sorted(path.name for path in tmp_path.glob("checkpoint-*"))
    assert names == ["checkpoint-4", "checkpoint-6"]
    files = {path.name for path in (tmp_path / "checkpoint-6").iterdir()}
    assert files == {
        "digests.json",
        "optimizer.pt",
        "rng_state.pth",
        "scheduler.pt",
        "trainable.safetensors",
        "trainer_state.json",
        "training_args.bin",
    } - ({"training_args.bin"} - files)
    assert newest_complete(tmp_path).name == "checkpoint-6"


def test_a_harmed_checkpoint_costs_its_steps_and_no_more(tmp_path):
    whole, _ = run(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "cut", stop_at(5))
    harmed = tmp_path / "cut" / "checkpoint-4" / "optimizer.pt"
    harmed.write_bytes(harmed.read_bytes()[:-100])
    resumed, _ = run(tmp_path / "cut")
    assert all(torch.equal(one, weights(resumed)[name]) for name, one in weights(whole).items())


def test_the_log_tells_losses_by_language_rate_norm_speed_and_padding(tmp_path):
    _, log = run(tmp_path, flops=lambda counts: counts.tokens * 10.0, peak_flops=1e9)
    first = log[0]
    assert first.keys() >= {
        "loss",
        "loss_en",
        "loss_ur",
        "learning_rate",
        "grad_norm",
        "tokens_per_s",
        "padding_share",
        "mfu",
        "eta_s",
        "step",
    }
    assert first["epoch"] == pytest.approx(1 / 3)
    assert min(first["loss_en"], first["loss_ur"]) <= first["loss"]
    assert first["loss"] <= max(first["loss_en"], first["loss_ur"])
    assert first["mfu"] == pytest.approx(first["tokens_per_s"] * 10 / 1e9)
    assert 0 <= first["padding_share"] < 0.2
    assert log[-2]["eta_s"] == 0


def test_a_loss_that_is_no_number_ends_the_run_and_names_the_samples(tmp_path):
    learner, tokenizer = make_learner()
    data = make_data(tmp_path, learner, tokenizer)
    with torch.no_grad():
        learner.model.lm_head.weight[7] = float("nan")
    before = weights(learner)
    with pytest.raises(TrainingDiverged, match="Step 0: the loss is nan"):
        run_stage(learner, data, make_job(tmp_path), tick)
    told = json.loads((tmp_path / "diverged.json").read_text("utf-8"))
    assert told["sample_ids"] == data.sample_ids(0)
    assert len(told["sample_ids"]) == 4
    after = weights(learner)
    name = "model.model.multi_modal_projector.linear_1.weight"
    assert torch.equal(before[name], after[name])


def test_a_gradient_that_is_no_number_ends_the_run(tmp_path):
    learner, tokenizer = make_learner()
    data = make_data(tmp_path, learner, tokenizer)
    learner.model.lm_head.weight.register_hook(lambda gradient: gradient * float("inf"))
    with pytest.raises(TrainingDiverged, match="the gradient's norm is"):
        run_stage(learner, data, make_job(tmp_path), tick)


def test_a_spike_ends_the_run(tmp_path, monkeypatch):
    monkeypatch.setattr("train.loop.trainer.SETTLED", 2)
    learner, tokenizer = make_learner()
    data = make_data(tmp_path, learner, tokenizer)

    def spoil(advance=1, text=""):
        nonlocal steps
        steps += advance
        if steps == 3:
            with torch.no_grad():
                learner.model.lm_head.weight.mul_(1000)

    steps = 0
    with pytest.raises(TrainingDiverged, match=r"Step 3: the loss is .*, 5 times the median"):
        run_stage(learner, data, make_job(tmp_path), spoil)


def test_event_files_are_written_for_tensorboard(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run(tmp_path, settings=QUIET.model_copy(update={"trackers": (Tracker.TENSORBOARD,)}))
    events = EventAccumulator(str(tmp_path / "runs")).Reload()
    assert {"train/loss", "train/loss_ur", "train/tokens_per_s"} <= {*events.Tags()["scalars"]}
    assert [event.step for event in events.Scalars("train/loss")] == [1, 2, 3, 4, 5, 6]


def test_workers_read_the_same_steps(tmp_path):
    plain, _ = run(tmp_path / "plain")
    shared, _ = run(tmp_path / "shared", settings=QUIET.model_copy(update={"workers": 2}))
    assert all(torch.equal(one, weights(shared)[name]) for name, one in weights(plain).items())


@pytest.mark.parametrize(("samples", "steps"), [(8, 4), (9, 6), (1, 2)])
def test_steps_of_two_epochs(samples, steps):
    assert total_steps(STAGE, samples) == steps
