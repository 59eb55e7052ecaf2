import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    AutoProcessor,
    LlamaConfig,
    LlamaForCausalLM,
    LlavaConfig,
    LlavaForConditionalGeneration,
)

from palo.errors import UserError
from tests.train.conftest import make_model, make_scale, make_tokenizer
from tests.train.conversion.published_folders import (
    GOLDEN,
    TOKENS,
    TOWER,
    PublishedModel,
    digests,
    same,
    to_hf,
    to_llava,
    write_full,
    write_json,
    write_tower,
)
from train.conversion.convert import convert
from train.conversion.published import Conversion
from train.data.images import make_processor
from train.model.checkpoint import load_checkpoint, save_checkpoint
from train.model.layout import PublishedType

PROJECTORS = ("mlp2x_gelu", "ldpnet")
IDS, PIXELS = [1, 70, 500, 1200], torch.randn(1, 3, 64, 64, generator=torch.manual_seed(2))


def our_logits(model):
    token, count = model.config.image_token_id, model.config.image_seq_length
    ids = torch.tensor([[IDS[0], *[token] * count, *IDS[1:]]])
    with torch.no_grad():
        return model.eval()(input_ids=ids, pixel_values=PIXELS).logits


@pytest.fixture
def tower(tmp_path):
    """The name by which the tests' checkpoints know their tower: a folder beside them."""
    folder = tmp_path / "clip"
    write_tower(folder, PublishedModel())
    return str(folder)


def with_tower(model, tower, **changes):
    return model.config(mm_vision_tower=tower, **changes)


# What is computed


@pytest.mark.parametrize("projector", PROJECTORS)
def test_a_published_checkpoint_answers_the_same_once_it_is_ours(tmp_path, tower, projector):
    model = PublishedModel(projector)
    source = write_full(tmp_path / "a", model, shards=3, config=with_tower(model, tower))
    loaded, tokenizer = load_checkpoint(to_hf(source))
    expected = model.logits(IDS, PIXELS)
    torch.testing.assert_close(our_logits(loaded)[..., :TOKENS], expected, atol=2e-5, rtol=1e-5)
    assert loaded.config.image_token_id == TOKENS == tokenizer.convert_tokens_to_ids("<image>")
    assert loaded.config.text_config.vocab_size == 2624  # 2601 tokens, a multiple of 64


def test_the_golden_projector_gives_the_golden_output_after_conversion(tmp_path, tower):
    model = PublishedModel("ldpnet")
    source = write_full(tmp_path / "a", model, config=with_tower(model, tower))
    loaded, _ = load_checkpoint(to_hf(source))
    golden = load_file(GOLDEN / "ldp_projector.safetensors")
    with torch.no_grad():
        output = loaded.model.multi_modal_projector(golden["input"])
    torch.testing.assert_close(output, golden["output"], atol=1e-5, rtol=0)


def test_the_stock_class_and_processor_load_what_was_converted(tmp_path, tower):
    model = PublishedModel()
    out = to_hf(write_full(tmp_path / "a", model, config=with_tower(model, tower)))
    loaded, found = LlavaForConditionalGeneration.from_pretrained(out, output_loading_info=True)
    assert not found["missing_keys"]
    assert not found["unexpected_keys"]
    expected = model.logits(IDS, PIXELS)
    torch.testing.assert_close(our_logits(loaded)[..., :TOKENS], expected, atol=2e-5, rtol=1e-5)
    processor = AutoProcessor.from_pretrained(out)
    assert processor.image_processor.do_pad is True
    assert processor.tokenizer.convert_tokens_to_ids("<image>") == TOKENS
    assert processor.tokenizer.pad_token == "<unk>"


def test_padding_rows_are_mean_rows_so_none_is_ever_the_greatest(tmp_path, tower):
    model = PublishedModel()
    out = to_hf(write_full(tmp_path / "a", model, config=with_tower(model, tower)))
    weights = load_file(out / "model.safetensors")
    for ours, theirs in (
        ("language_model.model.embed_tokens.weight", "model.embed_tokens.weight"),
        ("language_model.lm_head.weight", "lm_head.weight"),
    ):
        mean = model.state()[theirs].double().mean(0).float()
        assert torch.equal(weights[ours][:TOKENS], model.state()[theirs])
        torch.testing.assert_close(weights[ours][TOKENS:], mean.expand(24, -1))
    logits = our_logits(load_checkpoint(out)[0])
    assert (logits.argmax(-1) < TOKENS).all()


def test_a_picture_that_was_cropped_is_not_padded_after_conversion(tmp_path, tower):
    model = PublishedModel()
    config = with_tower(model, tower, image_aspect_ratio="square")
    out = to_hf(write_full(tmp_path / "a", model, config=config))
    assert AutoProcessor.from_pretrained(out).image_processor.do_pad is False
    assert json.loads((out / "config.json").read_text())["palo"]["image_aspect_ratio"] == "square"


# There and back


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("projector", PROJECTORS)
def test_published_to_ours_and_back_is_equal_file_for_file(tmp_path, tower, projector, dtype):
    model = PublishedModel(projector, dtype)
    source = write_full(tmp_path / "a", model, config=with_tower(model, tower))
    assert digests(to_llava(to_hf(source))) == digests(source)


@pytest.mark.parametrize("name", ["7b", "1.7b"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16], ids=str)
def test_ours_to_published_and_back_is_equal_file_for_file(tmp_path, name, dtype):
    tokenizer = make_tokenizer()
    model = make_model(make_scale(name), tokenizer).to(dtype)
    source = tmp_path / name
    save_checkpoint(source, model, tokenizer, make_processor(64), {"training.json": "{}\n"})
    there = to_llava(source, vision_tower="openai/some-clip")
    assert digests(to_hf(there)) == digests(source)


@pytest.mark.parametrize("projector", PROJECTORS)
def test_trained_padding_rows_come_back_too(tmp_path, tower, projector):
    model = PublishedModel(projector, torch.bfloat16)
    first = to_hf(write_full(tmp_path / "a", model, config=with_tower(model, tower)))
    weights = load_file(first / "model.safetensors")
    weights["language_model.lm_head.weight"][TOKENS:] += 0.5  # as training changes them
    save_file(weights, first / "model.safetensors", {"format": "pt"})
    there = to_llava(first)
    cut = load_file(there / "model.safetensors")
    assert same(cut, model.state())
    back = load_file(to_hf(there) / "model.safetensors")
    assert same(back, weights)


def test_without_what_was_carried_only_the_padding_is_made_anew(tmp_path, tower):
    model = PublishedModel()
    first = to_hf(write_full(tmp_path / "a", model, config=with_tower(model, tower)))
    shutil.rmtree(first / "palo")
    there = to_llava(first)
    assert same(load_file(there / "model.safetensors"), model.state())
    shutil.rmtree(there / "palo", ignore_errors=True)
    again = to_hf(there)
    assert same(load_file(again / "model.safetensors"), load_file(first / "model.safetensors"))
    tokens = json.loads((there / "tokenizer.json").read_text("utf-8"))["added_tokens"]
    assert all(token["id"] < TOKENS for token in tokens)


def test_shards_come_back_in_the_files_they_were_in(tmp_path, tower):
    model = PublishedModel()
    source = write_full(tmp_path / "a", model, config=with_tower(model, tower))
    sharded = to_llava(to_hf(source, max_shard_bytes=100_000), max_shard_bytes=1)
    assert digests(sharded) == digests(source)
    first = tmp_path / "a-hf"
    names = json.loads((first / "model.safetensors.index.json").read_text())["weight_map"]
    assert len(set(names.values())) > 2
    (first / "palo" / "manifest.json").unlink()
    there = tmp_path / "there"
    convert(Conversion(first, there, max_shard_bytes=200_000))
    back = to_hf(there)
    whole = {path: digest for path, digest in digests(first).items() if "palo/" not in path}
    assert {p: d for p, d in digests(back).items() if "palo/" not in p} == whole
    loaded, _ = load_checkpoint(back)
    expected = model.logits(IDS, PIXELS)
    torch.testing.assert_close(our_logits(loaded)[..., :TOKENS], expected, atol=2e-5, rtol=1e-5)


def test_bin_shards_come_back_as_safetensors_bit_for_bit(tmp_path, tower):
    model = PublishedModel(dtype=torch.float16)
    source = write_full(tmp_path / "a", model, shards=2, config=with_tower(model, tower))
    back = to_llava(to_hf(source))
    assert same(load_file(back / "model.safetensors"), model.state())
    assert not list(back.glob("*.bin*"))
    small = {p: d for p, d in digests(source).items() if ".bin" not in p}
    assert {p: d for p, d in digests(back).items() if p != "model.safetensors"} == small


def test_tables_of_older_versions_are_left_out_and_come_back(tmp_path, tower):
    model = PublishedModel()
    source = write_full(tmp_path / "a", model, config=with_tower(model, tower))
    old = {
        **model.state(),
        "model.layers.0.self_attn.rotary_emb.inv_freq": torch.rand(10),
        f"{TOWER}embeddings.position_ids": torch.arange(17)[None],
    }
    save_file(old, source / "model.safetensors", {"format": "pt"})
    first = to_hf(source)
    assert not [n for n in load_file(first / "model.safetensors") if "inv_freq" in n or "_ids" in n]
    assert digests(to_llava(first)) == digests(source)


def test_tied_embeddings_stay_tied_whether_stored_once_or_twice(tmp_path, tower):
    model = PublishedModel(tied=True)
    source = write_full(tmp_path / "a", model, config=with_tower(model, tower))
    first = to_hf(source)
    assert "language_model.lm_head.weight" not in load_file(first / "model.safetensors")
    assert digests(to_llava(first)) == digests(source)
    twice = tmp_path / "twice"
    write_full(twice, model, config=with_tower(model, tower))
    head = model.state()["model.embed_tokens.weight"].clone()
    save_file(
        {**model.state(), "lm_head.weight": head}, twice / "model.safetensors", {"format": "pt"}
    )
    assert digests(to_llava(to_hf(twice))) == digests(twice)
    save_file({**model.state(), "lm_head.weight": head + 1}, twice / "model.safetensors")
    with pytest.raises(UserError, match="tie_word_embeddings is true"):
        convert(Conversion(twice, tmp_path / "x"))


def test_an_edited_config_is_not_overruled_by_what_was_carried(tmp_path, tower):
    model = PublishedModel()
    first = to_hf(write_full(tmp_path / "a", model, config=with_tower(model, tower)))
    config = json.loads((first / "config.json").read_text("utf-8"))
    write_json(first / "config.json", {**config, "vision_feature_layer": -1})
    back = json.loads((to_llava(first) / "config.json").read_text("utf-8"))
    assert back["mm_vision_select_layer"] == -1


def test_a_checkpoint_that_stock_transformers_saved_goes_there_and_back(tmp_path, tower):
    model = PublishedModel()
    first = to_hf(write_full(tmp_path / "a", model, config=with_tower(model, tower)))
    loaded = LlavaForConditionalGeneration.from_pretrained(first)
    del loaded.config.palo  # nobody but us writes that
    stock = tmp_path / "stock"
    fresh = LlavaForConditionalGeneration(loaded.config)
    fresh.load_state_dict(loaded.state_dict())
    fresh.save_pretrained(stock)
    AutoProcessor.from_pretrained(first).save_pretrained(stock)
    names = set(load_file(stock / "model.safetensors"))
    assert names != set(load_file(first / "model.safetensors"))  # it has names of its own
    there = to_llava(stock, vision_tower=tower)
    assert same(load_file(there / "model.safetensors"), model.state())
    assert digests(to_hf(there)) == digests(stock)


@pytest.mark.parametrize(
    ("changes", "parameters"),
    [
        ({"rope_theta": 500000.0}, {"rope_theta": 500000.0, "rope_type": "default"}),
        (
            {"rope_scaling": {"type": "linear", "factor": 2.0}},
            {"rope_theta": 10000.0, "rope_type": "linear", "factor": 2.0},
        ),
    ],
)
def test_rotary_settings_go_both_ways(tmp_path, tower, changes, parameters):
    model = PublishedModel()
    config = with_tower(model, tower, **changes)
    first = to_hf(write_full(tmp_path / "a", model, config=config))
    found = load_checkpoint(first)[0].config.text_config.rope_parameters
    assert {key: found[key] for key in parameters} == parameters
    shutil.rmtree(first / "palo")
    back = json.loads((to_llava(first) / "config.json").read_text("utf-8"))
    assert back["rope_theta"] == parameters["rope_theta"]
    scaling = back["rope_scaling"]
    assert (scaling and (scaling["type"], scaling["factor"])) == (
        ("linear", 2.0) if "rope_scaling" in changes else None
    )


# What is written for published code


@pytest.mark.parametrize(
    ("name", "asked", "kind", "architecture", "projector"),
    [
        ("7b", None, "llava_llama", "LlavaLlamaForCausalLM", "mlp2x_gelu"),
        ("7b", PublishedType.LLAVA, "llava", "LlavaLlamaForCausalLM", "mlp2x_gelu"),
        ("1.7b", None, "palo", "PaloForCausalLM", "ldpnet"),
        ("1.7b", PublishedType.MOBILEVLM, "mobilevlm", "MobileLlamaForCausalLM", "ldpnet"),
    ],
)
def test_the_config_is_what_published_code_reads(
    tmp_path, name, asked, kind, architecture, projector
):
    tokenizer = make_tokenizer()
    model = make_model(make_scale(name), tokenizer)
    save_checkpoint(tmp_path / name, model, tokenizer, make_processor(64))
    there = to_llava(tmp_path / name, vision_tower="openai/some-clip", model_type=asked)
    config = json.loads((there / "config.json").read_text("utf-8"))
    wanted = {
        "architectures": [architecture],
        "model_type": kind,
        "mm_projector_type": projector,
        "mm_vision_tower": "openai/some-clip",
        "mm_vision_select_layer": -2,
        "mm_vision_select_feature": "patch",
        "mm_hidden_size": 16,
        "mm_use_im_start_end": False,
        "mm_use_im_patch_token": False,
        "image_aspect_ratio": "pad",
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "rope_theta": 10000.0,
        "rope_scaling": None,
        "torch_dtype": "float32",
        "vocab_size": len(tokenizer),
    }
    assert {key: config[key] for key in wanted} == wanted
    assert config.get("vision_tower_type") == ("clip" if asked is PublishedType.MOBILEVLM else None)


@pytest.mark.parametrize("name", ["7b", "1.7b"])
def test_a_llama_reads_its_part_of_a_published_folder_as_published_code_does(tmp_path, name):
    tokenizer = make_tokenizer()
    model = make_model(make_scale(name), tokenizer)
    save_checkpoint(tmp_path / name, model, tokenizer, make_processor(64))
    there = to_llava(tmp_path / name, vision_tower="openai/some-clip")
    # PaloForCausalLM and LlavaLlamaForCausalLM are Llamas with LLaVA's modules added.
    config = LlamaConfig.from_pretrained(there)
    config.model_type = "llama"
    llama, found = LlamaForCausalLM.from_pretrained(there, config=config, output_loading_info=True)
    assert not found["missing_keys"]
    assert {key.split(".")[1] for key in found["unexpected_keys"]} == {
        "mm_projector",
        "vision_tower",
    }
    ids = torch.tensor([[1, 20, 30, 40]])
    with torch.no_grad():
        torch.testing.assert_close(llama(input_ids=ids).logits, model(input_ids=ids).logits)


def test_llava_code_cannot_be_asked_to_build_the_ldp(tmp_path):
    tokenizer = make_tokenizer()
    model = make_model(make_scale("1.7b"), tokenizer)
    save_checkpoint(tmp_path / "a", model, tokenizer, make_processor(64))
    asked = {"vision_tower": "x", "model_type": PublishedType.LLAVA}
    with pytest.raises(UserError, match=r"cannot build the projector ldpnet. Choose of: palo mob"):
        convert(Conversion(tmp_path / "a", tmp_path / "b", **asked))


# The tower and the language model, where they lie elsewhere


def test_a_tower_that_the_weights_lack_comes_from_where_the_config_says(tmp_path, tower):
    model = PublishedModel(dtype=torch.float16)
    source = write_full(tmp_path / "a", model, tower=False, config=with_tower(model, tower))
    first = to_hf(source)
    weights = load_file(first / "model.safetensors")
    name = "vision_tower.vision_model.post_layernorm.weight"
    assert weights[name].dtype == torch.float16  # as the rest, though CLIP is stored in full
    assert torch.equal(weights[name], model.tower_state()[f"{TOWER}post_layernorm.weight"])
    assert digests(to_llava(first)) == digests(source)


def test_the_tower_may_be_that_of_a_whole_clip_of_older_days(tmp_path, tower):
    model = PublishedModel()
    folder = tmp_path / "whole-clip"
    folder.mkdir()
    old = {"_name_or_path": "", "bos_token_id": 0, "torch_dtype": None, "use_bfloat16": False}
    vision = {**model.tower.config.to_dict(), **old, "model_type": "clip_vision_model"}
    write_json(folder / "config.json", {"model_type": "clip", "vision_config": vision})
    state = torch.load(tmp_path / "clip" / "pytorch_model.bin")
    state["vision_model.embeddings.position_ids"] = torch.arange(17)[None]
    state["text_model.embeddings.position_ids"] = torch.arange(77)[None]
    state["logit_scale"] = torch.tensor(4.6)
    torch.save(state, folder / "pytorch_model.bin")
    source = write_full(tmp_path / "a", model, tower=False, config=with_tower(model, str(folder)))
    first = to_hf(source)
    loaded, _ = load_checkpoint(first)
    expected = model.logits(IDS, PIXELS)
    torch.testing.assert_close(our_logits(loaded)[..., :TOKENS], expected, atol=2e-5, rtol=1e-5)
    assert not (first / "palo" / "kept.safetensors").exists()
    assert digests(to_llava(first)) == digests(source)


def test_a_known_tower_within_the_weights_need_not_be_at_hand(tmp_path):
    from train.conversion.published import published_config, tower_config

    job = Conversion(tmp_path, tmp_path)
    config = tower_config(job, {"mm_vision_tower": "openai/clip-vit-large-patch14-336"})
    assert (config.hidden_size, config.num_hidden_layers, config.image_size) == (1024, 24, 336)
    palo = {"vision_tower": None, "image_aspect_ratio": "pad"}
    ours = LlavaConfig(vision_config=config, text_config=LlamaConfig(), palo=palo)
    written = published_config(job, ours, 32000, torch.float16)
    assert written["mm_vision_tower"] == "openai/clip-vit-large-patch14-336"
