"""Checkpoints as transformers 4.57 reads them, in a process of its own: `make test` installs it in
.venv/transformers-4, beside ours."""

import json
import os
import subprocess
import sys

import pytest
import torch
from PIL import Image
from transformers import AutoProcessor

from palo.schemas import IMAGE_TAG
from palo.tokenizer import load_tokenizer
from tests.llama_tokenizer import folder_of
from tests.train.conftest import ROOT, make_model, make_scale, make_tokenizer
from train.data.images import make_processor
from train.data.template import add_image
from train.model.checkpoint import load_checkpoint, save_checkpoint

OTHER = ROOT / ".venv" / "transformers-4"
READER = """
import json, sys, torch
from PIL import Image
from transformers import AutoProcessor, AutoTokenizer, LlavaForConditionalGeneration, __version__
folder, texts = sys.argv[1], json.loads(sys.argv[2])
tokenizer = AutoTokenizer.from_pretrained(folder)
told = {"version": __version__, "ids": [tokenizer(text).input_ids for text in texts]}
if sys.argv[3] == "model":
    model = LlavaForConditionalGeneration.from_pretrained(folder, torch_dtype=torch.float32).eval()
    processor = AutoProcessor.from_pretrained(folder)
    asked = processor(text=texts[0], images=[Image.open(sys.argv[4])], return_tensors="pt")
    with torch.no_grad():
        told["logits"] = model(**asked).logits[0, -1].tolist()
    told["asked"] = asked["input_ids"][0].tolist()
print(json.dumps(told))
"""
TEXTS = (
    "<s>A talk. USER: <image>\nIs it  red? ASSISTANT: A circle.</s>USER: какого цвета? ASSISTANT:",
    "تصویر میں کیا ہے؟ USER: x",
    "一张 图片\n\n- a",
)

pytestmark = pytest.mark.slow


def read_by_4(folder, *words):
    if not OTHER.is_dir():
        pytest.skip("transformers 4.57 is not in .venv/transformers-4: make test installs it")
    line = [sys.executable, "-c", READER, str(folder), json.dumps(TEXTS), *map(str, words)]
    environment = {**os.environ, "PYTHONPATH": str(OTHER), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(line, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(done.stdout.strip().split("\n")[-1])
    assert told["version"].startswith("4.")
    return told


def saved(folder, name, tokenizer, theta):
    model = make_model(make_scale(name), make_tokenizer())
    model.config.image_token_id = tokenizer.convert_tokens_to_ids(IMAGE_TAG)
    model.resize_token_embeddings(len(tokenizer))
    text = model.config.text_config
    text.rope_parameters = {"rope_type": "default", "rope_theta": theta}
    save_checkpoint(folder, model, tokenizer, make_processor(64))
    return folder


@pytest.mark.parametrize("legacy", [True, False, None])
def test_the_stock_class_of_4_answers_alike(tmp_path, legacy):
    tokenizer = load_tokenizer(str(folder_of(tmp_path / "published", legacy)))
    add_image(tokenizer)
    folder = saved(tmp_path / "7b", "7b", tokenizer, 1e6)  # 4.57 takes 10,000 where none is told
    picture = Image.new("RGB", (30, 50), "red")
    picture.save(tmp_path / "x.png")
    told = read_by_4(folder, "model", tmp_path / "x.png")
    model, ours = load_checkpoint(folder)
    assert told["ids"] == [ours(text).input_ids for text in TEXTS]
    asked = AutoProcessor.from_pretrained(folder)(
        text=TEXTS[0], images=[picture], return_tensors="pt"
    )
    assert told["asked"] == asked["input_ids"][0].tolist()
    with torch.no_grad():
        logits = model.float().eval()(**asked).logits[0, -1]
    torch.testing.assert_close(torch.tensor(told["logits"]), logits, atol=1e-4, rtol=1e-4)


def test_the_tokenizer_of_1_7b_is_the_same_there(tmp_path):
    tokenizer = load_tokenizer(str(folder_of(tmp_path / "published", True)))
    add_image(tokenizer)
    folder = saved(tmp_path / "1.7b", "1.7b", tokenizer, 10_000.0)
    ours = load_checkpoint(folder)[1]
    assert read_by_4(folder, "tokenizer")["ids"] == [ours(text).input_ids for text in TEXTS]
