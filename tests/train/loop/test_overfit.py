"""A model that can't learn a handful of conversations by heart is wired wrongly somewhere."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoTokenizer, CLIPVisionConfig, CLIPVisionModel

from palo.languages import ENGLISH
from palo.schemas import IMAGE_TAG, Role, Turn
from palo.settings import LoopSettings, WorldSettings
from sceneworld.build import build_world
from sceneworld.standins.tiny import tiny_llama, train_tokenizer
from sceneworld.truth import load_truth, with_image_as_in, without_image
from tests.train.loop.conftest import tick
from train.data.images import ImageLosses, make_processor
from train.data.mixture import Example
from train.data.packing import Measure, StepPlan, total_steps
from train.data.steps import Packer, Pictures, StageData
from train.data.template import SYSTEM, Template
from train.evaluation.answerers import TransformersAnswerer
from train.loop.loss import Learner
from train.loop.trainer import Job, run_stage
from train.model.assembly import add_adapters, assemble, load_language_model
from train.model.checkpoint import save_checkpoint
from train.scale import Scale

pytestmark = pytest.mark.slow

GOLDEN = Path(__file__).parents[2] / "golden"
LIMIT = 0.05  # nats a token
LANGUAGES = ("en", "zh", "ur")
PICTURES = 9
IMAGE_SIZE = 64
# Adapters leave the tied head as it is, of rows as long as 1: the width's square root is the most
# that a logit can be, and at 96 the loss can't fall below 0.07.
WIDTH = 160
KINDS = {
    "7b": {"projector": "mlp2", "lora": {"rank": 64, "alpha": 64}},
    "1.7b": {"projector": "ldp", "lora": None},
}
STEPS = {"7b": 300, "1.7b": 240}  # adapters on frozen embeddings need more
PATCH_SIZES = {"7b": 16, "1.7b": 8}  # the LDP makes one token of 2x2 patches


def make_scale(name, batch_size, steps):
    stage = {
        "learning_rate": 6e-3,
        "batch_size": batch_size,
        "row_tokens": 1200,
        "max_steps": steps,
        "save_every_steps": steps,
    }
    return Scale.model_validate(
        {
            "name": name,
            "language_model": {"name": "tiny"},
            "vision_tower": {"name": "tiny"},
            **KINDS[name],
            "image_size": IMAGE_SIZE,
            "max_length": 1200,
            "stage1": stage,
            "stage2": stage,
        }
    )


def make_model(scale, language_model, tokenizer):
    """A random frozen tower; the projector learns, and the language model or adapters on it."""
    torch.manual_seed(1)
    config = CLIPVisionConfig(
        hidden_size=48,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=IMAGE_SIZE,
        patch_size=PATCH_SIZES[scale.name],
        projection_dim=48,
    )
    model = assemble(scale, CLIPVisionModel(config), language_model, tokenizer, 3)
    model.requires_grad_(False)
    model.model.multi_modal_projector.requires_grad_(True)
    if scale.lora is not None:
        return model, add_adapters(model.model.language_model, scale.lora, 3)
    model.model.language_model.requires_grad_(True)
    return model, None


def learn(folder, scale, model, tokenizer, examples):
    """The whole stage through StageTrainer; the loss of its last step, before the update."""
    learner = Learner(model, len(LANGUAGES))
    packer = Packer(
        model.config.image_token_id, model.config.image_seq_length, tokenizer.pad_token_id
    )
    measure = Measure(Template(tokenizer), packer.image_tokens, scale.max_length, False)
    lengths = [measure.encode(one).length(packer.image_tokens) for one in examples]

    def order(epoch):
        return np.random.RandomState(epoch).permutation(len(examples))

    stage = scale.stage2
    steps = total_steps(stage, len(examples))
    plan = StepPlan(np.array(lengths), order, stage.batch_size, stage.row_tokens, steps)
    data = StageData(
        examples,
        LANGUAGES,
        measure,
        packer,
        plan,
        Pictures(make_processor(IMAGE_SIZE)),
        ImageLosses(folder / "losses.jsonl", 0.0, len(examples)),
    )
    settings = LoopSettings(trackers=(), log_every_steps=1, spike=None)
    log = run_stage(learner, data, Job(stage, folder, 5, settings), tick)
    return [row["loss"] for row in log if "loss" in row][-1]


def read_golden(picture):
    """The 13 conversations of ten languages; where they have a picture, it is this one."""
    rows = json.loads((GOLDEN / "label_mask_conversations.json").read_text("utf-8"))
    return [
        Example(
            row["id"],
            "en",
            picture if "image" in row else None,
            tuple(Turn(Role(turn["from"]), turn["value"]) for turn in row["conversations"]),
        )
        for row in rows
    ]


def drawn_conversations(folder):
    """A description of each picture, in three languages; one question each: only looking tells."""
    settings = WorldSettings(
        source_images=80,
        corpus_scenes=1,
        caption_images=1,
        text_scenes=1,
        parallel_text_scenes=1,
        evaluation_images=1,
    )
    build_world(folder, settings)
    truth = load_truth(folder / "truth.jsonl")
    asked = "What is shown in this image?"
    examples = []
    for row in json.loads((folder / "source.json").read_text("utf-8")):
        question, answer = (turn["value"] for turn in row["conversations"][:2])
        if without_image(question) != asked:
            continue
        lang = LANGUAGES[len(examples) % len(LANGUAGES)]
        if lang == ENGLISH:
            said = (asked, answer)
        else:
            said = (truth["", asked][lang], truth[asked, answer][lang])
        turns = (
            Turn(Role.HUMAN, with_image_as_in(said[0], question)),
            Turn(Role.GPT, said[1]),
        )
        examples.append(Example(row["id"], lang, folder / "images" / row["image"], turns))
    return examples[:PICTURES]


def test_the_13_reference_conversations_are_learned_by_heart(tmp_path):
    from PIL import Image

    picture = tmp_path / "a.jpg"
    Image.new("RGB", (64, 48), (120, 60, 20)).save(picture)
    examples = read_golden(picture)
    assert len(examples) == 13
    scale = make_scale("7b", len(examples), steps=60).model_copy(update={"lora": None})
    tokenizer = AutoTokenizer.from_pretrained(GOLDEN / "tokenizer")
    tiny_llama(tokenizer, WIDTH, 2, 2).save_pretrained(tmp_path / "lm")
    tokenizer.save_pretrained(tmp_path / "lm")
    language_model, tokenizer = load_language_model(str(tmp_path / "lm"), None, torch.float32)
    model, _ = make_model(scale, language_model, tokenizer)
    assert learn(tmp_path, scale, model, tokenizer, examples) < LIMIT


@pytest.mark.parametrize("name", ["7b", "1.7b"])
def test_drawn_pictures_are_learned_and_told_from_one_another(tmp_path, name):
    examples = drawn_conversations(tmp_path / "world")
    assert len({example.image for example in examples}) == PICTURES
    scale = make_scale(name, len(examples), STEPS[name])
    texts = [turn.text for example in examples for turn in example.turns]
    tokenizer = train_tokenizer([SYSTEM, SYSTEM, *texts], 800, (IMAGE_TAG,))
    model, adapted = make_model(scale, tiny_llama(tokenizer, WIDTH, 2, 2), tokenizer)
    assert learn(tmp_path, scale, model, tokenizer, examples) < LIMIT

    if adapted is not None:
        model.model.language_model = adapted.merge_and_unload()
    save_checkpoint(tmp_path / "checkpoint", model, tokenizer, make_processor(IMAGE_SIZE))
    answerer = TransformersAnswerer(tmp_path / "checkpoint", PICTURES, 200)
    questions = [without_image(example.turns[0].text) for example in examples]
    answers = [example.turns[1].text for example in examples]
    own = [example.image for example in examples]
    # three on: a picture that was learned with the same question
    others = own[len(LANGUAGES) :] + own[: len(LANGUAGES)]
    assert answerer.answer(list(zip(questions, own, strict=True)), tick) == answers
    told = answerer.answer(list(zip(questions, others, strict=True)), tick)
    assert not any(one == answer for one, answer in zip(told, answers, strict=True))
