"""What `convert` refuses: one sentence that names the file, the field, its value and the mend."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from palo.errors import MissingResource, UserError
from tests.train.conversion.published_folders import (
    PublishedModel,
    write_base,
    write_full,
    write_json,
    write_lora,
    write_projector,
    write_tower,
)
from train.conversion.convert import convert, detect
from train.conversion.published import Conversion
from train.model.layout import Layout, Part, PublishedType


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A tower and a base, and a whole checkpoint of them in `full`."""
    model = PublishedModel()
    write_tower(tmp_path / "tower", model)
    write_base(tmp_path / "vicuna", model)
    write_full(tmp_path / "full", model)
    monkeypatch.chdir(tmp_path)  # `mm_vision_tower` is a path seen from here
    return tmp_path


def edit(path, **changes):
    found = {**json.loads(path.read_text("utf-8")), **changes}
    write_json(path, {key: value for key, value in found.items() if value != "GONE"})


def refused(place, folder, said, error=UserError, **options):
    with pytest.raises(error, match=said) as raised:
        convert(Conversion(place / folder, place / "out", **options))
    assert "\n" not in str(raised.value)
    assert not list(place.glob("*out*")) and not list(place.glob(".*out*"))


# What a folder is


@pytest.mark.parametrize("kind", list(PublishedType))
def test_a_folder_is_what_its_config_says_whatever_its_name(place, kind):
    edit(place / "full" / "config.json", model_type=str(kind))
    renamed = (place / "full").rename(place / "llava-7b-lora-hf")
    assert detect(renamed) == (Layout.LLAVA, Part.FULL)


def test_parts_and_ours_are_told_apart(place):
    model = PublishedModel()
    write_projector(place / "a", model)
    write_lora(place / "b", model, place / "vicuna")
    assert detect(place / "a") == (Layout.LLAVA, Part.PROJECTOR)
    assert detect(place / "b") == (Layout.LLAVA, Part.LORA)
    convert(Conversion(place / "full", place / "ours"))
    convert(Conversion(place / "b", place / "kept", keep_adapter=True))
    assert detect(place / "ours") == (Layout.HF, Part.FULL)
    assert detect(place / "kept") == (Layout.HF, Part.LORA)


@pytest.mark.parametrize("kind", ["opt", None, "llava_mpt", "llava_next"])
def test_another_kind_of_model_is_refused(place, kind):
    edit(place / "full" / "config.json", model_type=kind)
    refused(place, "full", rf"config\.json: model_type is {kind!r}; what can be converted is llava")


def test_a_folder_without_config_or_weights_says_what_is_missing(place):
    refused(place, "none", "There is no folder", MissingResource)
    (place / "full" / "model.safetensors").unlink()
    refused(place, "full", r"No weights in .*full: looked for model\.safetensors", MissingResource)
    (place / "full" / "config.json").unlink()
    refused(place, "full", r"There is no .*config\.json", MissingResource)


def test_adapters_beside_whole_weights_are_a_contradiction(place):
    write_json(place / "full" / "adapter_config.json", {})
    refused(place, "full", "holds both adapter_config.json and whole weights")


# What its config says


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("mm_projector_type", "resampler"),
        ("mm_projector_type", "linear"),
        ("mm_projector_type", "ldpnetv2"),
        ("mm_vision_select_feature", "cls_patch"),
        ("mm_use_im_start_end", True),
        ("mm_patch_merge_type", "spatial_unpad"),
        ("image_aspect_ratio", "anyres"),
        ("quantization_config", {"bits": 4}),
    ],
)
def test_a_field_that_makes_another_model_is_named_with_its_value(place, key, value):
    edit(place / "full" / "config.json", **{key: value})
    refused(place, "full", rf"full/config\.json: {key} is .*{value!r}.* can be converted")


def test_fields_that_are_missing_are_named(place):
    edit(place / "full" / "config.json", mm_projector_type="GONE")
    refused(place, "full", "mm_projector_type is missing")
    edit(place / "full" / "config.json", mm_projector_type="mlp2x_gelu", mm_vision_tower="GONE")
    refused(place, "full", "names no mm_vision_tower", MissingResource)
    edit(place / "full" / "config.json", mm_vision_select_layer="GONE", mm_vision_tower="tower")
    refused(place, "full", "mm_vision_select_layer is None, not a number; LLaVA-1.5 has -2")


def test_a_vocabulary_of_another_size_is_a_contradiction(place):
    edit(place / "full" / "config.json", vocab_size=2601)
    refused(place, "full", r"vocab_size is 2601, but model\.embed_tokens\.weight has 2600 rows")


def test_the_weights_of_another_projector_are_a_contradiction(place):
    edit(place / "full" / "config.json", mm_projector_type="ldpnet", model_type="palo")
    refused(place, "full", r"24 tensors are missing \(multi_modal_projector\.model\..* and 21 more")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("vision_feature_select_strategy", "full"),
        ("projector_hidden_act", "relu"),
        ("multimodal_projector_bias", False),
        ("vision_feature_layer", [-2, -5]),
    ],
)
def test_what_the_published_layout_cannot_say_is_refused(place, key, value):
    convert(Conversion(place / "full", place / "ours"))
    edit(place / "ours" / "config.json", **{key: value})
    with pytest.raises(UserError, match=rf"config\.json: {key} is "):
        convert(Conversion(place / "ours", place / "out"))


def test_a_section_that_contradicts_the_model_type_is_refused(place):
    convert(Conversion(place / "full", place / "ours"))
    edit(place / "ours" / "config.json", palo={"projector": "ldp"})
    refused(place, "ours", "palo.projector is 'ldp', but a llava has 'mlp2'")
    edit(place / "ours" / "config.json", palo=3)
    refused(place, "ours", "palo is 3, not a section")


# What its weights are


def test_tensors_that_are_missing_or_left_over_are_counted_and_the_first_named(place):
    path = place / "full" / "model.safetensors"
    state = load_file(path)
    for layer in (0, 1):
        del state[f"model.layers.{layer}.mlp.up_proj.weight"]
    save_file({**state, "model.image_newline": torch.ones(3)}, path)
    refused(
        place,
        "full",
        r"2 tensors are missing \(language_model\.model\.layers\.0\.mlp\.up_proj\.weight, .* and "
        r"1 are not expected \(language_model\.model\.image_newline\)",
    )
    save_file({**load_file(path), "transformer.wte.weight": torch.ones(3)}, path)
    refused(place, "full", r"1 tensors are not expected \(transformer\.wte\.weight\)")


def test_a_tensor_of_the_wrong_shape_is_named_with_both_shapes(place):
    edit(place / "full" / "config.json", intermediate_size=96)
    refused(place, "full", r"gate_proj\.weight is 64 x 40, config\.json says 96 x 40 \(6 tensors")


def test_a_missing_shard_of_a_whole_checkpoint_is_named(place):
    write_full(place / "b", PublishedModel(), shards=3)
    (place / "b" / "pytorch_model-00002-of-00003.bin").unlink()
    refused(place, "b", "names pytorch_model-00002-of-00003.bin, which is not", MissingResource)


def test_a_checkpoint_without_tower_says_how_to_get_it(place):
    write_full(place / "b", PublishedModel(), tower=False)
    edit(place / "b" / "config.json", mm_vision_tower="openai/clip-vit-large-patch14-336")
    refused(
        place,
        "b",
        r"vision tower 'openai/clip-vit-large-patch14-336' is no folder here and not in the hub's "
        r"cache: run `hf download openai/clip-vit-large-patch14-336`, or .*--vision-tower",
        MissingResource,
    )
    edit(place / "tower" / "config.json", model_type="siglip")
    edit(place / "b" / "config.json", mm_vision_tower=str(place / "tower"))
    refused(place, "b", "model_type is 'siglip'; the vision tower must be a CLIP")


def test_ours_without_a_known_tower_asks_for_its_name(place):
    convert(Conversion(place / "full", place / "ours"))
    config = json.loads((place / "ours" / "config.json").read_text("utf-8"))
    edit(place / "ours" / "config.json", palo={**config["palo"], "vision_tower": None})
    refused(place, "ours", r"palo\.vision_tower.*--vision-tower", MissingResource)


def test_a_checkpoint_without_tokenizer_says_where_to_put_it(place):
    for path in (place / "full").glob("tokenizer*"):
        path.unlink()
    refused(place, "full", "No tokenizer in .*full", MissingResource)


# Projectors and adapters


def test_a_projector_or_adapters_without_a_base_ask_for_it(place):
    write_projector(place / "a", PublishedModel())
    edit(place / "a" / "config.json", _name_or_path="GONE")
    refused(place, "a", "holds a projector only: .* with --base", MissingResource)
    write_lora(place / "b", PublishedModel(), "lmsys/vicuna-7b-v1.5")
    refused(place, "b", "base 'lmsys/vicuna-7b-v1.5' is no folder here .*--base", MissingResource)
    edit(place / "b" / "adapter_config.json", base_model_name_or_path=None)
    refused(place, "b", "holds LoRA adapters only: .* with --base", MissingResource)


def test_a_base_must_be_the_language_model(place):
    write_lora(place / "b", PublishedModel(), place / "full")
    refused(place, "b", "model_type is 'llava'; the base of a LLaVA is the language model")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("peft_type", "IA3"),
        ("use_dora", True),
        ("bias", "all"),
        ("modules_to_save", ["embed_tokens"]),
        ("alpha_pattern", {"q_proj": 2}),
        ("fan_in_fan_out", True),
    ],
)
def test_an_adapter_that_is_no_plain_lora_is_refused(place, key, value):
    write_lora(place / "b", PublishedModel(), place / "vicuna", **{key: value})
    refused(place, "b", rf"adapter_config\.json: {key} is .*only plain LoRA")


def test_an_adapter_of_another_rank_or_base_is_refused(place):
    write_lora(place / "b", PublishedModel(), place / "vicuna", r=8)
    refused(place, "b", r"r is 8, but model\.layers\.0\..* has rank 4")
    path = place / "vicuna" / "model.safetensors"
    state = load_file(path)
    del state["model.layers.1.mlp.up_proj.weight"]
    save_file(state, path)
    edit(place / "b" / "adapter_config.json", r=4)
    refused(place, "b", r"the base has no model\.layers\.1\.mlp\.up_proj; is it the right --base")


def test_half_an_adapter_is_refused(place):
    write_lora(place / "b", PublishedModel(), place / "vicuna")
    path = place / "b" / "adapter_model.bin"
    found = torch.load(path)
    gone = "base_model.model.model.layers.0.mlp.up_proj.lora_B.weight"
    torch.save({n: t for n, t in found.items() if n != gone}, path)
    refused(place, "b", r"only one of the two LoRA matrices of model\.layers\.0\.mlp\.up_proj")
    (place / "b" / "non_lora_trainables.bin").unlink()
    torch.save(found, path)
    refused(place, "b", r"There is no .*non_lora_trainables\.bin", MissingResource)
    path.unlink()
    refused(place, "b", r"has adapter_config\.json but no adapter_model")


def test_a_merge_cannot_be_undone_and_a_kept_adapter_is_not_merged_by_the_way(place):
    write_lora(place / "b", PublishedModel(), place / "vicuna")
    convert(Conversion(place / "b", place / "merged"))
    refused(place, "merged", "holds no adapter to write for --part lora", part=Part.LORA)
    convert(Conversion(place / "b", place / "kept", keep_adapter=True))
    refused(place, "kept", "keeps its adapter apart", part=Part.FULL)


# Where to


@pytest.mark.parametrize(
    ("folder", "options", "said"),
    [
        ("full", {"part": Part.PROJECTOR}, "--part says what to write with --to llava; "),
        ("full", {"model_type": PublishedType.PALO}, "--model-type goes with --to llava; "),
        ("full", {"keep_adapter": True}, "--keep-adapter is for LoRA adapters; .* is full and"),
        ("full", {"base": "vicuna"}, "--base is for parts of a model; .* becomes 'hf'"),
        ("ours", {"keep_adapter": True}, "--keep-adapter goes with --to hf; .* becomes 'llava'"),
    ],
)
def test_an_option_that_would_change_nothing_is_a_mistake(place, folder, options, said):
    convert(Conversion(place / "full", place / "ours"))
    refused(place, folder, said, **options)


def test_a_layout_is_not_converted_to_itself(place):
    refused(place, "full", "is in the layout 'llava' already", to=Layout.LLAVA)


def test_a_folder_is_not_written_over_unless_asked(place):
    (place / "taken").mkdir()
    (place / "taken" / "precious").touch()
    with pytest.raises(UserError, match="taken exists: choose another --out, or say --overwrite"):
        convert(Conversion(place / "full", place / "taken"))
    assert (place / "taken" / "precious").exists()
    convert(Conversion(place / "full", place / "taken", overwrite=True))
    assert not (place / "taken" / "precious").exists()
    assert (place / "taken" / "model.safetensors").exists()


@pytest.mark.parametrize("out", ["full", "full/inside", "."])
def test_the_source_is_never_written_into(place, out):
    with pytest.raises(UserError, match="is, holds or lies in"):
        convert(Conversion(place / "full", place / out, overwrite=True))


def test_a_carried_manifest_cannot_lead_out_of_the_folder(place):
    convert(Conversion(place / "full", place / "ours"))
    path = place / "ours" / "palo" / "manifest.json"
    edit(path, files={"../stolen.safetensors": ["lm_head.weight"]})
    refused(place, "ours", r"is not as a conversion wrote it .*: delete .*palo")
    edit(path, files={}, part="half")
    refused(place, "ours", "is not as a conversion wrote it .*'half' is not a valid Part")
    edit(path, files="GONE", part="full")
    refused(place, "ours", r"is not as a conversion wrote it \(KeyError\('files'\)\)")
