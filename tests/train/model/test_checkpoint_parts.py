import json

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors import safe_open
from transformers import LlavaForConditionalGeneration

from tests.train.conftest import make_model, make_scale, make_tokenizer
from train.data.images import make_processor
from train.model.checkpoint import (
    load_checkpoint,
    save_checkpoint,
)

TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def adapted_model(dtype=torch.float32):
    """A 7b twin as it stands at the end of stage 2: projector trained, adapters not yet merged."""
    scale, tokenizer = make_scale("7b"), make_tokenizer()
    model = make_model(scale, tokenizer).eval()
    for part in (model.model.vision_tower, model.model.language_model, model.lm_head):
        part.to(dtype)
    torch.manual_seed(5)
    config = LoraConfig(r=4, lora_alpha=8, target_modules=TARGETS, init_lora_weights=False)
    return model, get_peft_model(model.model.language_model, config), tokenizer


def exported(tmp_path, dtype=torch.float32, files=None):
    model, adapted, tokenizer = adapted_model(dtype)
    folder = tmp_path / "7b"
    save_checkpoint(folder, model, tokenizer, make_processor(64), files, adapted)
    return model, adapted, tokenizer, folder


def names(path):
    with safe_open(path, "pt") as file:
        return set(file.keys())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_base_and_adapter_merge_to_the_very_weights_of_merging_directly(tmp_path, dtype):
    model, adapted, _, folder = exported(tmp_path, dtype)
    before = model.state_dict()["model.language_model.layers.0.self_attn.q_proj.base_layer.weight"]
    before = before.clone()
    model.model.language_model = adapted.merge_and_unload()
    loaded, _ = load_checkpoint(folder)
    assert type(loaded) is LlavaForConditionalGeneration
    ours, theirs = loaded.state_dict(), model.state_dict()
    assert ours.keys() == theirs.keys()
    for name, weight in theirs.items():
        assert ours[name].dtype == weight.dtype, name
        assert torch.equal(ours[name], weight), name
    merged = ours["model.language_model.layers.0.self_attn.q_proj.weight"]
    assert not torch.equal(merged, before)
    assert loaded.lm_head.weight is loaded.model.language_model.embed_tokens.weight


def test_the_merged_checkpoint_is_the_same_file_either_way(tmp_path):
    model, adapted, tokenizer, folder = exported(tmp_path)
    model.model.language_model = adapted.merge_and_unload()
    save_checkpoint(tmp_path / "direct", model, tokenizer, make_processor(64))
    loaded, its_tokenizer = load_checkpoint(folder)
    save_checkpoint(tmp_path / "later", loaded, its_tokenizer, make_processor(64))
    one, other = (tmp_path / name / "model.safetensors" for name in ("direct", "later"))
    assert one.read_bytes() == other.read_bytes()


def test_the_base_is_a_stock_checkpoint_with_the_trained_projector_and_no_adapter(tmp_path):
    model, _, _, folder = exported(tmp_path, files={"training.json": "{}\n"})
    loaded, found = LlavaForConditionalGeneration.from_pretrained(
        folder / "base", output_loading_info=True
    )
    assert not found["missing_keys"] and not found["unexpected_keys"]
    weight = "model.multi_modal_projector.linear_1.weight"
    assert torch.equal(loaded.state_dict()[weight], model.state_dict()[weight])
    assert not [name for name in names(folder / "base" / "model.safetensors") if "lora" in name]
    assert (folder / "base" / "training.json").read_text("utf-8") == "{}\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["7b"]


def test_saving_leaves_the_model_ready_to_train_on(tmp_path):
    model, adapted, _, _ = exported(tmp_path)
    assert not any(parameter.is_meta for parameter in model.parameters())
    trained = {name for name, p in model.named_parameters() if p.requires_grad}
    assert any(".lora_A." in name for name in trained)
    adapted.merge_and_unload()


def test_the_adapter_names_the_language_model_only_and_peft_takes_it_as_it_is(tmp_path):
    _, _, _, folder = exported(tmp_path)
    config = json.loads((folder / "adapter" / "adapter_config.json").read_text("utf-8"))
    assert config["r"] == 4
    assert not config["modules_to_save"]
    stored = names(folder / "adapter" / "adapter_model.safetensors")
    assert len(stored) == 2 * len(TARGETS)
    assert all(name.startswith("base_model.model.model.language_model.layers.") for name in stored)
    model = PeftModel.from_pretrained(load_checkpoint(folder / "base")[0], folder / "adapter")
    put_on = {name for name, _ in model.named_parameters() if ".lora_" in name}
    assert len(put_on) == len(stored)
    assert not [name for name in put_on if "vision_tower" in name]


def test_whole_modules_in_the_adapter_are_refused(tmp_path):
    model, adapted, tokenizer = adapted_model()
    adapted.peft_config["default"].modules_to_save = ["embed_tokens"]
    with pytest.raises(AssertionError, match="into the base"):
        save_checkpoint(tmp_path / "7b", model, tokenizer, make_processor(64), adapted=adapted)
