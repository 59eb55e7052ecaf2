"""Projectors and adapters alone: on their base a model, and back again as they were."""

import json
import shutil

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file

from tests.train.conftest import make_model, make_scale, make_tokenizer
from tests.train.conversion.published_folders import (
    GOLDEN,
    TOKENS,
    PublishedModel,
    digests,
    same,
    to_hf,
    to_llava,
    write_base,
    write_lora,
    write_projector,
    write_tower,
)
from train.conversion.convert import convert
from train.conversion.published import Conversion
from train.data.images import make_processor
from train.model.checkpoint import load_checkpoint, save_checkpoint
from train.model.layout import Part


@pytest.fixture
def tower(tmp_path):
    """The name by which the tests' checkpoints know their tower: a folder beside them."""
    folder = tmp_path / "clip"
    write_tower(folder, PublishedModel())
    return str(folder)


def test_a_projector_becomes_a_model_on_its_base_and_a_projector_again(tmp_path, tower):
    model = PublishedModel(dtype=torch.bfloat16)
    write_base(tmp_path / "vicuna", model)
    source = write_projector(tmp_path / "a", model)
    first = to_hf(source, base=str(tmp_path / "vicuna"), vision_tower=tower)
    loaded, _ = load_checkpoint(first, torch.bfloat16)
    assert torch.equal(
        loaded.model.multi_modal_projector.linear_2.bias,
        model.projector_state()["model.mm_projector.2.bias"],
    )
    back = to_llava(first)
    assert same(torch.load(back / "mm_projector.bin"), model.projector_state())
    assert digests(back) == digests(source)
    whole = tmp_path / "whole"
    convert(Conversion(first, whole, part=Part.FULL))
    assert same(load_file(whole / "model.safetensors"), model.state())
    assert (whole / "tokenizer.json").read_bytes() == (
        GOLDEN / "tokenizer/tokenizer.json"
    ).read_bytes()


def test_the_projector_of_a_trained_model_can_be_written_alone(tmp_path):
    tokenizer = make_tokenizer()
    model = make_model(make_scale("1.7b"), tokenizer)
    save_checkpoint(tmp_path / "a", model, tokenizer, make_processor(64))
    out = to_llava(tmp_path / "a", vision_tower="x", part=Part.PROJECTOR, base="lm")
    stored = torch.load(out / "mm_projector.bin", weights_only=True)
    ours = model.model.multi_modal_projector.state_dict()
    assert same(stored, {f"model.mm_projector.{name}": tensor for name, tensor in ours.items()})
    config = json.loads((out / "config.json").read_text())
    assert (config["tune_mm_mlp_adapter"], config["_name_or_path"]) == (True, "lm")
    (tmp_path / "vicuna").mkdir()
    base = str(tmp_path / "vicuna")
    out = to_llava(tmp_path / "a", vision_tower="x", part=Part.PROJECTOR, base=base, overwrite=True)
    assert json.loads((out / "config.json").read_text())["_name_or_path"] == "vicuna"


# LoRA


@pytest.mark.parametrize(
    ("dtype", "of_adapter", "changes"),
    [
        (torch.float32, torch.float32, {}),
        (torch.float16, torch.float16, {}),
        (torch.bfloat16, torch.bfloat16, {"use_rslora": True}),
        (torch.bfloat16, torch.float32, {}),
    ],
)
def test_merged_lora_equals_pefts_own_merge(tmp_path, tower, dtype, of_adapter, changes):
    model = PublishedModel(dtype=dtype)
    write_base(tmp_path / "vicuna", model)
    source = write_lora(tmp_path / "a", model, tmp_path / "vicuna", of_adapter, **changes)
    first = to_hf(source, vision_tower=tower)
    merged = PeftModel.from_pretrained(model.language, source).merge_and_unload().state_dict()
    ours = load_file(first / "model.safetensors")
    found = {n: ours[f"language_model.{n}"] for n in merged}
    cut = ("model.embed_tokens.weight", "lm_head.weight")
    found |= {n: found[n][:TOKENS] for n in cut}
    assert same(found, merged)
    assert torch.equal(
        ours["multi_modal_projector.linear_1.weight"],
        model.projector_state()["model.mm_projector.0.weight"],
    )
    back = to_llava(first)  # whole: a merge can't be undone
    assert same(
        {n: t for n, t in load_file(back / "model.safetensors").items() if n in merged}, merged
    )
    assert (back / "tokenizer.json").read_bytes() == (
        GOLDEN / "tokenizer/tokenizer.json"
    ).read_bytes()


@pytest.mark.parametrize("file", ["adapter_model.safetensors", "adapter_model.bin"])
def test_kept_lora_answers_as_the_merged_and_comes_back_as_it_was(tmp_path, tower, file):
    model = PublishedModel()
    write_base(tmp_path / "vicuna", model)
    source = write_lora(tmp_path / "a", model, tmp_path / "vicuna", file=file)
    kept, merged = tmp_path / "kept", tmp_path / "merged"
    convert(Conversion(source, kept, vision_tower=tower, keep_adapter=True))
    convert(Conversion(source, merged, vision_tower=tower))
    assert {path.name for path in kept.iterdir()} == {"base", "adapter", "palo"}
    with_adapter, _ = load_checkpoint(kept)
    assert same(dict(with_adapter.state_dict()), dict(load_checkpoint(merged)[0].state_dict()))
    assert digests(to_llava(kept)) == digests(source)


def test_kept_lora_goes_back_without_what_was_carried(tmp_path, tower):
    model = PublishedModel()
    write_base(tmp_path / "vicuna", model)
    source = write_lora(
        tmp_path / "a", model, tmp_path / "vicuna", file="adapter_model.safetensors"
    )
    kept = tmp_path / "kept"
    convert(Conversion(source, kept, vision_tower=tower, keep_adapter=True))
    shutil.rmtree(kept / "palo")
    back = to_llava(kept, base="lmsys/vicuna-7b-v1.5")
    assert same(
        load_file(back / "adapter_model.safetensors"),
        load_file(source / "adapter_model.safetensors"),
    )
    assert same(
        torch.load(back / "non_lora_trainables.bin"), torch.load(source / "non_lora_trainables.bin")
    )
    config = json.loads((back / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "lmsys/vicuna-7b-v1.5"
    assert (
        config["target_modules"]
        == json.loads((source / "adapter_config.json").read_text())["target_modules"]
    )
