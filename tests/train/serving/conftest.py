"""Small checkpoints that say something else to each picture, and what transformers says there."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from peft import LoraConfig, get_peft_model
from PIL import Image
from transformers import CLIPVisionConfig, CLIPVisionModel

from sceneworld.standins.tiny import tiny_llama
from tests.train.conftest import make_scale, make_tokenizer
from train.data.images import make_processor, pixel_values
from train.data.template import IMAGE_TOKEN, Template
from train.model.assembly import assemble
from train.model.checkpoint import save_base_and_adapter, save_checkpoint

NEW_TOKENS = 16
TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
# width, height: squares, wide and tall pictures; smaller and larger than what the tower takes
SIZES = [(64, 64), (96, 40), (30, 71), (500, 333), (200, 200), (337, 336)]
QUESTIONS = [
    "What is it?",
    "A red circle?",
    "Is it red?\nOr what is it?",
    "What?",
    "это что?",
    "这是什么?",
]


@dataclass(frozen=True)
class Asked:
    question: str
    picture: Image.Image | None


def make_asked() -> list[Asked]:
    """Each question with a picture of its own (coarse cells, blown up), and one without."""
    rng = np.random.default_rng(5)
    asked = []
    for question, size in zip(QUESTIONS, SIZES, strict=True):
        cells = Image.fromarray(rng.integers(0, 256, (6, 7, 3), dtype=np.uint8))
        asked.append(Asked(question, cells.resize(size, Image.Resampling.BILINEAR)))
    return [*asked, Asked(QUESTIONS[0], None)]


def build(name: str, image_size: int, patch_size: int, seed: int):
    """A scale's model of random weights, large enough that answers differ and winners are clear.

    Not every seed has clear winners; those chosen below do, and the tests look.
    """
    scale = make_scale(name).model_copy(update={"image_size": image_size})
    tokenizer = make_tokenizer()
    tower_config = CLIPVisionConfig(
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=3,
        num_attention_heads=2,
        image_size=image_size,
        patch_size=patch_size,
        projection_dim=16,
        initializer_factor=3.0,
    )
    torch.manual_seed(1 + seed)
    language_model = tiny_llama(tokenizer, 64, 2, 2, max_position=1024, seed=3 + seed)
    with torch.no_grad():
        for parameter in language_model.parameters():
            if parameter.ndim == 2:
                parameter.mul_(4)
    model = assemble(scale, CLIPVisionModel(tower_config), language_model, tokenizer, 3 + seed)
    with torch.no_grad():
        for parameter in model.model.multi_modal_projector.parameters():
            if parameter.ndim == 2:
                parameter.mul_(6)
    return model.eval(), tokenizer, make_processor(image_size)


def adapt(model: Any, rank: int, seed: int) -> Any:
    torch.manual_seed(7 + seed)
    config = LoraConfig(r=rank, lora_alpha=rank, target_modules=TARGETS, init_lora_weights=False)
    return get_peft_model(model.model.language_model, config)


@pytest.fixture(scope="session")
def merged_7b(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("served") / "7b"
    model, tokenizer, processor = build("7b", 64, 16, 0)
    model.model.language_model = adapt(model, 4, 0).merge_and_unload()
    save_checkpoint(folder, model, tokenizer, processor)
    return folder


@pytest.fixture(scope="session")
def parts_13b(tmp_path_factory) -> Path:
    """Base and adapter, of a rank that vLLM makes no room for unless told to."""
    folder = tmp_path_factory.mktemp("served") / "13b"
    model, tokenizer, processor = build("13b", 64, 8, 0)
    save_base_and_adapter(folder, model, adapt(model, 24, 0), tokenizer, processor)
    return folder


@pytest.fixture(scope="session")
def whole_1_7b(tmp_path_factory) -> Path:
    """As large as PALO's own where it counts: 336 px in patches of 14, so 144 tokens."""
    folder = tmp_path_factory.mktemp("served") / "1.7b"
    save_checkpoint(folder, *build("1.7b", 336, 14, 20))
    return folder


@pytest.fixture(scope="session")
def adapted_1_7b(tmp_path_factory) -> Path:
    """The same with an adapter on its language model; PALO's own 1.7b is trained whole."""
    folder = tmp_path_factory.mktemp("served") / "1.7b"
    model, tokenizer, processor = build("1.7b", 336, 14, 20)
    save_base_and_adapter(folder, model, adapt(model, 4, 70), tokenizer, processor)
    return folder


@dataclass(frozen=True)
class Said:
    """What one model says to one question: ids of the prompt, images expanded, and the answer."""

    prompt: list[int]
    answer: list[int]
    smallest_lead: float  # of a chosen token's logit over the next one's


@torch.inference_mode()
def transformers_says(model: Any, tokenizer: Any, asked: list[Asked]) -> list[Said]:
    """Greedy answers, with prompts and pixels made as training makes them."""
    config = model.config
    processor = make_processor(config.vision_config.image_size)
    template, said = Template(tokenizer), []
    for one in asked:
        prompt, pixels = [], {}
        for token in template.prompt(one.question, has_image=one.picture is not None):
            image = token == IMAGE_TOKEN
            prompt += [config.image_token_id] * config.image_seq_length if image else [token]
        if one.picture is not None:
            pixels["pixel_values"] = pixel_values([one.picture], processor)
        ids = torch.tensor([prompt])
        written = model.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            **pixels,
            max_new_tokens=NEW_TOKENS,
            do_sample=False,
            pad_token_id=tokenizer.pad_token_id,
            output_logits=True,
            return_dict_in_generate=True,
        )
        best = torch.stack(written.logits)[:, 0].topk(2).values
        lead = float((best[:, 0] - best[:, 1]).min())
        said.append(Said(prompt, written.sequences[0, len(prompt) :].tolist(), lead))
    return said
