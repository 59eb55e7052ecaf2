import json
from typing import get_args

import pytest
import torch
from transformers import AutoProcessor

from palo.engines.vllm import max_lora_rank
from palo.errors import MissingResource, UserError
from tests.train.conftest import make_scale
from tests.train.serving.conftest import build, make_asked
from train.data.images import make_processor, pixel_values
from train.data.template import IMAGE_TOKEN, Template
from train.model.checkpoint import save_checkpoint
from train.serving.server import find_checkpoint, server_arguments


def test_a_base_without_its_adapter_is_no_checkpoint(tmp_path, profile):
    (tmp_path / "7b" / "base").mkdir(parents=True)
    (tmp_path / "7b" / "base" / "config.json").touch()
    with pytest.raises(MissingResource, match=r"neither config\.json nor base/"):
        find_checkpoint(make_scale("7b"), profile, tmp_path / "7b")


@pytest.mark.parametrize(
    ("rank", "room"), [(1, 1), (4, 8), (16, 16), (24, 32), (48, 64), (128, 128), (129, 256)]
)
def test_room_is_made_for_the_adapter_s_rank(tmp_path, rank, room):
    (tmp_path / "adapter_config.json").write_text(json.dumps({"r": rank}), "utf-8")
    assert max_lora_rank(tmp_path) == room


def test_room_is_made_for_the_largest_rank_of_any_layer_of_any_adapter(tmp_path):
    for name, told in (("a", {"r": 8}), ("b", {"r": 16, "rank_pattern": {"q_proj": 48}})):
        (tmp_path / name).mkdir()
        (tmp_path / name / "adapter_config.json").write_text(json.dumps(told), "utf-8")
    assert max_lora_rank(tmp_path / "a", tmp_path / "b") == 64


def test_a_rank_that_vllm_has_no_room_for_is_refused(tmp_path):
    (tmp_path / "adapter_config.json").write_text('{"r": 600}', "utf-8")
    with pytest.raises(UserError, match="has rank 600; vLLM takes at most 512"):
        max_lora_rank(tmp_path)


def test_the_ranks_are_those_that_vllm_makes_room_for():
    lora = pytest.importorskip("vllm.config.lora", reason="vLLM is not installed")
    from palo.engines.vllm import _LORA_RANKS

    assert get_args(lora.MaxLoRARanks) == _LORA_RANKS


@pytest.mark.parametrize(("scale", "image_size"), [("7b", 64), ("1.7b", 336)])
def test_the_processor_that_vllm_is_told_to_load_gives_the_very_pixels_and_ids_of_training(
    tmp_path, scale, image_size
):
    """Padded to a square with the mean colour, whatever the picture's shape."""
    model, tokenizer, trained_with = build(scale, image_size, 14 if image_size == 336 else 16, 0)
    save_checkpoint(tmp_path / scale, model, tokenizer, trained_with)
    arguments = server_arguments(tmp_path / scale, "palo")
    options = json.loads(arguments[arguments.index("--mm-processor-kwargs") + 1])
    processor = AutoProcessor.from_pretrained(tmp_path / scale, **options)
    assert type(processor.image_processor) is type(make_processor(image_size))
    template = Template(tokenizer)
    for one in make_asked():
        if one.picture is None:
            continue
        content = [{"type": "text", "text": one.question}, {"type": "image"}]
        prompt = processor.apply_chat_template(
            [{"role": "user", "content": content}], add_generation_prompt=True
        )
        got = processor(
            text=prompt, images=[one.picture], add_special_tokens=False, return_tensors="pt"
        )
        wanted = pixel_values([one.picture], make_processor(image_size))
        assert torch.equal(got["pixel_values"], wanted)
        image = [model.config.image_token_id] * model.config.image_seq_length
        ids = []
        for token in template.prompt(one.question, has_image=True):
            ids += image if token == IMAGE_TOKEN else [token]
        assert got["input_ids"][0].tolist() == ids
