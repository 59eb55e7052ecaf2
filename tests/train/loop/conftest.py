"""Packed rows and whole stages of eleven short conversations, two of them with a picture."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from palo.schemas import Role, Turn
from palo.settings import LoopSettings
from tests.train.conftest import make_model, make_scale, make_tokenizer
from train.data.images import ImageLosses, make_processor
from train.data.mixture import Example
from train.data.packing import Measure, StepPlan, total_steps
from train.data.steps import Packer, Pictures, StageData
from train.data.template import Template
from train.loop.loss import Learner
from train.loop.trainer import Job
from train.scale import Attention, LossKernel, Stage

STAGE = Stage(
    learning_rate=1e-2,
    batch_size=4,
    epochs=2,
    save_every_steps=2,
    weight_decay=0.1,
    row_tokens=700,
)
QUIET = LoopSettings(trackers=(), log_every_steps=1)


def tick(advance=1, text=""):
    return None


def paint(folder):
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    for name, colour in (("red", (220, 20, 20)), ("blue", (20, 20, 220))):
        Image.new("RGB", (64, 48), colour).save(folder / f"{name}.png")
    return folder


def conversations(images):
    """Two with a picture, the others text; the even ones are English, the odd ones Urdu."""
    made = []
    for number in range(11):
        image = images / ("red.png" if number == 0 else "blue.png") if number < 2 else None
        asked = f"{'<image>' if image else ''}\nIs it {number}?"
        turns = (Turn(Role.HUMAN, asked), Turn(Role.GPT, f"Yes, {number}. " * (1 + number % 4)))
        made.append(Example(str(number), ("en", "ur")[number % 2], image, turns))
    return made


def make_learner(name="7b", kernel=LossKernel.TORCH, attends=Attention.DOCUMENTS):
    tokenizer = make_tokenizer()
    model = make_model(make_scale(name), tokenizer)
    return Learner(model, 2, attends, kernel), tokenizer


def make_data(folder, learner, tokenizer, stage=STAGE, rank=0, world_size=1, images=None):
    config = learner.model.config
    examples = conversations(images or paint(folder / "images"))
    packer = Packer(config.image_token_id, config.image_seq_length, tokenizer.pad_token_id)
    measure = Measure(Template(tokenizer), packer.image_tokens, 600, False)
    lengths = [measure.encode(one).length(packer.image_tokens) for one in examples]

    def order(epoch):
        return np.random.RandomState(epoch).permutation(len(examples))

    plan = StepPlan(
        np.array(lengths, dtype=np.int32),
        order,
        stage.batch_size,
        stage.row_tokens,
        total_steps(stage, len(examples)),
    )
    losses = ImageLosses(folder / "losses.jsonl", 0.5, 2)
    pictures = Pictures(make_processor(64))
    return StageData(
        examples, ("en", "ur"), measure, packer, plan, pictures, losses, rank, world_size
    )


def make_job(folder, stage=STAGE, settings=QUIET, **changes):
    return replace(Job(stage, folder, 5, settings), **changes)


def losses_of(learner, row, num_items=None):
    """The losses of one row, as the trainer computes them."""
    return learner(row, num_items)


def weights(learner):
    return {name: tensor.clone() for name, tensor in learner.state_dict().items()}


@pytest.fixture
def parts(tmp_path):
    learner, tokenizer = make_learner()
    return learner, make_data(tmp_path, learner, tokenizer)


def gradients(learner):
    return {
        name: parameter.grad.clone()
        for name, parameter in learner.named_parameters()
        if parameter.grad is not None
    }


def assert_close(ours, theirs, tolerance=1e-5):
    assert ours.keys() == theirs.keys()
    for name, tensor in ours.items():
        torch.testing.assert_close(
            tensor, theirs[name], atol=tolerance, rtol=tolerance, msg=lambda m, n=name: f"{n}: {m}"
        )
