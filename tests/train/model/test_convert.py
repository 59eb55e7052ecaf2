import hashlib
import json
import shutil

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file
from transformers import AutoProcessor, LlavaForConditionalGeneration

from palo.errors import UserError
from tests.train.conftest import make_model, make_scale, make_tokenizer
from tests.train.model.published_folders import (
    GOLDEN,
    TOKENS,
    TOWER,
    PublishedModel,
    write_base,
    write_full,
    write_json,
    write_lora,
    write_projector,
    write_tower,
)
from train.data.images import make_processor
from train.model.checkpoint import load_checkpoint, save_checkpoint
from train.model.convert import convert
from train.model.export import load_merged
from train.model.job import Job
from train.model.layout import Part, PublishedType

PROJECTORS = ("mlp2x_gelu", "ldpnet")
IDS, PIXELS = [1, 70, 500, 1200], torch.randn(1, 3, 64, 64, generator=torch.manual_seed(2))


def digests(folder):
    """Digest by path of every file of a folder."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in paths
    }


def same(one, other):
    """Tensors equal bit for bit, in kind and name."""
    return one.keys() == other.keys() and all(
        one[name].dtype == other[name].dtype
        and torch.equal(one[name].view(torch.uint8), other[name].view(torch.uint8))
        for name in one
    )


def our_logits(model):
    token, count = model.config.image_token_id, model.config.image_seq_length
    ids = torch.tensor([[IDS[0], *[token] * count, *IDS[1:]]])
    with torch.no_grad():
        return model.eval()(input_ids=ids, pixel_values=PIXELS).logits


def to_hf(folder, **options):
    out = folder.with_name(f"{folder.name}-hf")
    convert(Job(folder, out, **options))
    return out


def to_llava(folder, **options):
    out = folder.with_name(f"{folder.name}-llava")
    convert(Job(folder, out, **options))
    return out


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
    convert(Job(first, there, max_shard_bytes=200_000))
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
        convert(Job(twice, tmp_path / "x"))


def test_an_edited_config_is_not_overruled_by_what_was_carried(tmp_path, tower):
    model = PublishedModel()
    first = to_hf(write_full(tmp_path / "a", model, config=with_tower(model, tower)))
    config = json.loads((first / "config.json").read_text("utf-8"))
    write_json(first / "config.json", {**config, "vision_feature_layer": -1})
    back = json.loads((to_llava(first) / "config.json").read_text("utf-8"))
    assert back["mm_vision_select_layer"] == -1


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


def test_llava_code_cannot_be_asked_to_build_the_ldp(tmp_path):
    tokenizer = make_tokenizer()
    model = make_model(make_scale("1.7b"), tokenizer)
    save_checkpoint(tmp_path / "a", model, tokenizer, make_processor(64))
    job = Job(tmp_path / "a", tmp_path / "b", vision_tower="x", model_type=PublishedType.LLAVA)
    with pytest.raises(UserError, match=r"cannot build the projector ldpnet. Choose of: palo mob"):
        convert(job)


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


def test_a_known_tower_within_the_weights_need_not_be_at_hand(tmp_path):
    from train.model.elsewhere import known_tower, tower_config

    config = tower_config("openai/clip-vit-large-patch14-336", tmp_path)
    assert (config.hidden_size, config.num_hidden_layers, config.image_size) == (1024, 24, 336)
    assert known_tower(config) == "openai/clip-vit-large-patch14-336"


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
    convert(Job(first, whole, part=Part.FULL))
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
    convert(Job(source, kept, vision_tower=tower, keep_adapter=True))
    convert(Job(source, merged, vision_tower=tower))
    assert {path.name for path in kept.iterdir()} == {"base", "adapter", "palo"}
    with_adapter, _ = load_merged(kept)
    assert same(dict(with_adapter.state_dict()), dict(load_checkpoint(merged)[0].state_dict()))
    assert digests(to_llava(kept)) == digests(source)


def test_kept_lora_goes_back_without_what_was_carried(tmp_path, tower):
    model = PublishedModel()
    write_base(tmp_path / "vicuna", model)
    source = write_lora(
        tmp_path / "a", model, tmp_path / "vicuna", file="adapter_model.safetensors"
    )
    kept = tmp_path / "kept"
    convert(Job(source, kept, vision_tower=tower, keep_adapter=True))
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
