"""Small checkpoints that say something else to each picture, and what transformers says there.

For talking: one that talks at length, a micro world with it, a Chromium that tells its requests.
"""

import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
import torch
from peft import LoraConfig, get_peft_model
from PIL import Image
from transformers import CLIPVisionConfig, CLIPVisionModel

from sceneworld.standins.tiny import tiny_llama
from tests.refine.serve.conftest import Browser
from tests.train.conftest import ROOT, make_model, make_scale, make_tokenizer
from train.data.images import make_processor, pixel_values
from train.data.template import IMAGE_TOKEN, Template
from train.model.assembly import assemble
from train.model.checkpoint import save_checkpoint
from train.serving.chat import Talker

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
    save_checkpoint(folder, model, tokenizer, processor, adapted=adapt(model, 24, 0))
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
    save_checkpoint(folder, model, tokenizer, processor, adapted=adapt(model, 4, 70))
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


def make_talkative(name="7b"):
    """Random weights, large enough that one token follows another in no simple pattern."""
    scale, tokenizer = make_scale(name), make_tokenizer()
    model = make_model(scale, tokenizer)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 2:
                parameter.mul_(3)
    return scale, model.eval(), tokenizer


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory):
    folder = tmp_path_factory.mktemp("talk") / "7b"
    scale, model, tokenizer = make_talkative()
    save_checkpoint(folder, model, tokenizer, make_processor(scale.image_size))
    return folder


@pytest.fixture(scope="session")
def talker(checkpoint):
    return Talker(checkpoint, 2000)


@pytest.fixture
def world(profile, checkpoint, monkeypatch):
    """The sample profile over the micro world, with the checkpoint in its place."""
    root = profile.data_dir.parent.parent
    monkeypatch.setenv("PALO_CONFIG", str(root / "pipelines.yaml"))
    text = (root / "pipelines.yaml").read_text("utf-8")
    scales = root / "scales"
    shutil.copytree(ROOT / "train/scales/sample", scales)
    scale = (scales / "7b.yaml").read_text("utf-8")  # answers long enough to be stopped
    scale = scale.replace("max_length: 512", "max_length: 2000")
    (scales / "7b.yaml").write_text(scale.replace("row_tokens: 1024", "row_tokens: 2048"), "utf-8")
    text = text.replace("scales_dir: train/scales/sample", f"scales_dir: {scales}")
    (root / "pipelines.yaml").write_text(text, "utf-8")
    shutil.copytree(checkpoint, profile.paths.checkpoint("7b"))
    return profile


@pytest.fixture
def picture(world):
    return next((world.evaluate.images_dir / "evaluation").glob("*.jpg"))


class ListeningBrowser(Browser):
    """Also keeps the address of every request."""

    def __init__(self, program, folder, dark=False):
        self.requests = []
        super().__init__(program, folder, dark)
        self.call("Network.enable")
        self.call("DOM.enable")

    def _next(self):
        message = super()._next()
        if message.get("method") == "Network.requestWillBeSent":
            self.requests.append(message["params"]["request"]["url"])
        return message

    def hosts(self):
        """Of all requests but those for data that the page holds itself."""
        parts = [urlsplit(url) for url in self.requests]
        return {part.hostname for part in parts if part.scheme not in ("data", "blob", "about")}

    def go(self, url):
        self.call("Page.navigate", {"url": url})

    def click(self, selector):
        """A real click in the middle of the first that fits, once it is there and lies still."""
        self.wait(f"document.querySelector({selector!r}) !== null")
        place = None
        while place is None or place != self._middle(selector):
            place = self._middle(selector)
            time.sleep(0.15)
        for kind in ("mousePressed", "mouseReleased"):
            where = {"x": place[0], "y": place[1], "button": "left", "clickCount": 1}
            self.call("Input.dispatchMouseEvent", {"type": kind, **where})

    def _middle(self, selector):
        return self.eval(
            f"(() => {{ const e = document.querySelector({selector!r});"
            " e.scrollIntoView({block: 'nearest'}); const r = e.getBoundingClientRect();"
            " return [r.x + r.width / 2, r.y + r.height / 2]; })()"
        )

    def upload(self, selector, path):
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", {"nodeId": root, "selector": selector})["nodeId"]
        self.call("DOM.setFileInputFiles", {"nodeId": node, "files": [str(path)]})

    def insert(self, text):
        self.call("Input.insertText", {"text": text})

    def enter(self):
        """With its character, without which there is no keypress event."""
        one = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13}
        self.call("Input.dispatchKeyEvent", {"type": "keyDown", "text": "\r", **one})
        self.call("Input.dispatchKeyEvent", {"type": "keyUp", **one})
