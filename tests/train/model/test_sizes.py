import json
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import (
    AutoConfig,
    CLIPVisionConfig,
    CLIPVisionModel,
    LlamaConfig,
    LlamaForCausalLM,
)

from palo.errors import MissingResource
from sceneworld.standins.tiny import tiny_llama
from tests.train.conftest import make_model, make_scale, make_tokenizer
from train.model.assembly import assemble
from train.model.sizes import parameters, sizes_of
from train.scale import load_scale

SCALES = Path(__file__).parents[3] / "train" / "scales"
NOWHERE = Path("/nowhere")
TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def count(module, trained=False):
    return sum(p.numel() for p in module.parameters() if p.requires_grad or not trained)


@pytest.fixture(autouse=True)
def no_hub_cache(monkeypatch, tmp_path):
    """Else a developer's own cache would be read in place of sizes.yaml."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))


@pytest.mark.parametrize(
    ("name", "language", "projector", "adapters", "total"),
    [
        ("1.7b", 1_364_559_872, 18_936_832, 0, 1_687_004_160),
        ("7b", 6_738_939_904, 20_979_712, 319_815_680, 7_063_427_072),
        ("13b", 13_016_519_680, 31_467_520, 500_695_040, 13_351_494_656),
    ],
)
def test_the_published_scales_have_exactly_the_parameters_of_the_real_classes(
    name, language, projector, adapters, total
):
    scale = load_scale(name, SCALES)
    sizes = sizes_of(scale, NOWHERE)
    counted = parameters(sizes)
    assert counted.tower == 303_507_456
    assert (counted.language_model, counted.projector) == (language, projector)
    assert (counted.adapters, counted.total) == (adapters, total)
    model = on_meta(scale, sizes)
    assert count(model.model.vision_tower) == counted.tower
    assert count(model.model.multi_modal_projector) == counted.projector
    assert count(model.lm_head) == counted.head
    assert count(model.model.language_model.embed_tokens) == counted.embeddings
    assert count(model) == counted.total
    assert model.config.image_seq_length == sizes.image_tokens
    if scale.lora:
        model.requires_grad_(False)
        config = LoraConfig(r=scale.lora.rank, target_modules=TARGETS)
        with torch.device("meta"):
            get_peft_model(model.model.language_model, config)
        assert count(model, trained=True) == counted.adapters


def on_meta(scale, sizes):
    """The scale's model without storage for its weights, the projector's apart."""
    language, tower = sizes.language, sizes.tower
    with torch.device("meta"):
        llama = LlamaForCausalLM(
            LlamaConfig(
                vocab_size=language.vocabulary,
                hidden_size=language.hidden,
                intermediate_size=language.intermediate,
                num_hidden_layers=language.layers,
                num_attention_heads=language.heads,
                num_key_value_heads=language.kv_heads,
                tie_word_embeddings=language.tied,
            )
        )
        clip = CLIPVisionModel(
            CLIPVisionConfig(
                hidden_size=tower.hidden,
                intermediate_size=tower.intermediate,
                num_hidden_layers=tower.layers,
                num_attention_heads=tower.heads,
                image_size=scale.image_size,
                patch_size=tower.patch_size,
            )
        )
    return assemble(scale, clip, llama, make_tokenizer(), 1)


def test_vicunas_own_vocabulary_gives_the_published_count():
    sizes = sizes_of(load_scale("7b", SCALES), NOWHERE)
    as_published = sizes.language.model_copy(update={"vocabulary": 32_000})
    counted = parameters(sizes.model_copy(update={"language": as_published}))
    assert counted.language_model == 6_738_415_616
    assert sizes.language.vocabulary == 32_064


@pytest.mark.parametrize("name", ["1.7b", "7b"])
def test_a_twins_parameters_follow_from_its_settings(name, tmp_path):
    scale = make_scale(name)
    assert parameters(sizes_of(scale, tmp_path)).tower == count(
        make_model(scale, make_tokenizer()).model.vision_tower
    )


@pytest.mark.parametrize("name", ["1.7b", "7b"])
def test_a_twin_that_is_built_is_counted_as_it_lies_there(name, tmp_path):
    scale = make_scale(name)
    model = make_model(scale, make_tokenizer())
    model.config.vision_config.save_pretrained(tmp_path / "tower")
    tiny_llama(make_tokenizer(), 16, 1, 2).config.save_pretrained(tmp_path / "lm")
    counted = parameters(sizes_of(scale, tmp_path))
    assert counted.total == count(model)
    assert counted.head == 0  # tied: the embeddings once more
    assert counted.projector == count(model.model.multi_modal_projector)


def test_a_models_own_config_is_believed_before_the_table(tmp_path):
    folder = tmp_path / "my-llama"
    LlamaConfig(
        vocab_size=64, hidden_size=32, intermediate_size=48, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, head_dim=16,
    ).save_pretrained(folder)  # fmt: skip
    scale = load_scale("7b", SCALES)
    source = scale.language_model.model_copy(update={"name": str(folder)})
    sizes = sizes_of(scale.model_copy(update={"language_model": source}), NOWHERE)
    assert sizes.language.vocabulary == 128  # 64, the image token, and up to a multiple of 64
    assert sizes.language.linears["k_proj"] == (32, 32)
    assert sizes.language.linears["o_proj"] == (64, 32)
    with torch.device("meta"):
        real = LlamaForCausalLM(AutoConfig.from_pretrained(folder))
    counted = parameters(sizes)
    assert counted.layers == count(real.model) - count(real.model.embed_tokens)


def test_the_size_of_a_whole_clip_is_that_of_its_vision_tower(tmp_path):
    folder = tmp_path / "clip"
    folder.mkdir()
    vision = {"hidden_size": 8, "intermediate_size": 16, "num_hidden_layers": 3, "patch_size": 16}
    (folder / "config.json").write_text(json.dumps({"vision_config": vision}), "utf-8")
    scale = load_scale("7b", SCALES)
    source = scale.vision_tower.model_copy(update={"name": str(folder)})
    sizes = sizes_of(scale.model_copy(update={"vision_tower": source}), NOWHERE)
    assert (sizes.tower.hidden, sizes.tower.layers, sizes.tower.heads) == (8, 3, 12)
    assert sizes.patches == 441


def test_a_model_that_nobody_knows_is_named_with_the_way_out():
    scale = load_scale("7b", SCALES)
    source = scale.language_model.model_copy(update={"name": "someone/new-llama"})
    with pytest.raises(MissingResource, match=r"hf download someone/new-llama config\.json"):
        sizes_of(scale.model_copy(update={"language_model": source}), NOWHERE)


def test_a_twin_that_is_built_again_is_counted_again(tmp_path):
    scale, folder = make_scale("7b"), tmp_path / "lm"
    tiny_llama(make_tokenizer(), 16, 1, 2).config.save_pretrained(folder)
    assert sizes_of(scale, tmp_path).language.hidden == 16
    tiny_llama(make_tokenizer(), 32, 1, 2).config.save_pretrained(folder)
    assert sizes_of(scale, tmp_path).language.hidden == 32


def test_a_config_is_read_as_json(tmp_path):
    """Which is no YAML: a tab between the fields, as some configs have it, is no error."""
    (tmp_path / "lm").mkdir()
    config = tiny_llama(make_tokenizer(), 16, 1, 2).config.to_dict()
    text = json.dumps(config, indent="\t", default=str)
    (tmp_path / "lm" / "config.json").write_text(text, "utf-8")
    assert sizes_of(make_scale("7b"), tmp_path).language.hidden == 16
