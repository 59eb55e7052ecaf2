import copy
import json
import logging

import pytest
import torch
from PIL import Image
from safetensors import safe_open
from transformers import (
    AutoModelForImageTextToText,
    AutoProcessor,
    CLIPVisionModel,
    LlavaForConditionalGeneration,
)

from palo.errors import MissingResource, UserError
from palo.files import read_json, write_json
from palo.hub import damage
from palo.schemas import IMAGE_TAG
from palo.tokenizer import load_tokenizer
from sceneworld.standins.tiny import tiny_llama
from tests.llama_tokenizer import folder_of
from tests.train.conftest import ROOT, make_model, make_scale, make_tokenizer
from train.data.images import make_processor
from train.data.template import IMAGE_TOKEN, Round, Template, add_image
from train.loop.processes import load_whole, save_whole
from train.model.assembly import (
    MobilePaloForConditionalGeneration,
    assemble,
    load_language_model,
)
from train.model.checkpoint import (
    load_checkpoint,
    save_checkpoint,
)


def saved(tmp_path, name):
    scale, tokenizer = make_scale(name), make_tokenizer()
    model = make_model(scale, tokenizer).eval()
    save_checkpoint(tmp_path / name, model, tokenizer, make_processor(64), {"log.json": "{}\n"})
    return model, tokenizer, tmp_path / name


def logits(model):
    image = [model.config.image_token_id] * model.config.image_seq_length
    pixels = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        return model(input_ids=torch.tensor([[1, *image, 7, 8]]), pixel_values=pixels).logits


@pytest.mark.parametrize(
    ("name", "kind", "tokens"),
    [("7b", LlavaForConditionalGeneration, 16), ("1.7b", MobilePaloForConditionalGeneration, 4)],
)
def test_a_checkpoint_comes_back_as_it_was(tmp_path, name, kind, tokens):
    model, tokenizer, folder = saved(tmp_path, name)
    loaded, its_tokenizer = load_checkpoint(folder)
    assert type(loaded) is kind
    assert loaded.config.image_seq_length == tokens
    start, *words = tokenizer("A red circle").input_ids
    assert start == tokenizer.bos_token_id
    assert its_tokenizer("A red circle").input_ids == words  # the chat template writes the start
    ours, theirs = model.state_dict(), loaded.state_dict()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)
    torch.testing.assert_close(logits(loaded.eval()), logits(model))


def test_the_stock_class_loads_the_mlp_scales_with_nothing_missing(tmp_path):
    model, _, folder = saved(tmp_path, "7b")
    loaded, found = LlavaForConditionalGeneration.from_pretrained(folder, output_loading_info=True)
    assert not found["missing_keys"]
    assert not found["unexpected_keys"]
    torch.testing.assert_close(logits(loaded.eval()), logits(model))


def test_the_auto_class_finds_the_custom_class_and_no_weight_vanishes(tmp_path, caplog):
    model, _, folder = saved(tmp_path, "1.7b")
    with caplog.at_level(logging.WARNING):
        loaded = AutoModelForImageTextToText.from_pretrained(folder)
    assert type(loaded) is MobilePaloForConditionalGeneration
    weight = "model.multi_modal_projector.model.mlp.1.weight"
    assert torch.equal(loaded.state_dict()[weight], model.state_dict()[weight])


def test_stored_names_are_the_classic_ones(tmp_path):
    _, _, folder = saved(tmp_path, "7b")
    with safe_open(folder / "model.safetensors", "pt") as file:
        names = set(file.keys())
    assert "language_model.model.embed_tokens.weight" in names
    assert "multi_modal_projector.linear_1.weight" in names
    assert "vision_tower.vision_model.embeddings.class_embedding" in names
    assert all(
        name.startswith(("language_model.", "multi_modal_projector.", "vision_tower.vision_model."))
        for name in names
    )


@pytest.mark.parametrize(("name", "tokens"), [("7b", 16), ("1.7b", 4)])
def test_the_stock_processor_counts_the_image_tokens_of_the_projector(tmp_path, name, tokens):
    model, _, folder = saved(tmp_path, name)
    processor = AutoProcessor.from_pretrained(folder)
    content = [{"type": "image"}, {"type": "text", "text": "What is it?"}]
    prompt = processor.apply_chat_template(
        [{"role": "user", "content": content}], add_generation_prompt=True
    )
    assert prompt.endswith("USER: <image>\nWhat is it? ASSISTANT:")
    inputs = processor(text=prompt, images=[Image.new("RGB", (30, 50))], return_tensors="pt")
    assert (inputs["input_ids"] == model.config.image_token_id).sum() == tokens
    assert inputs["pixel_values"].shape == (1, 3, 64, 64)


def test_a_checkpoint_replaces_an_older_one_and_leaves_nothing_beside_it(tmp_path):
    saved(tmp_path, "7b")
    (tmp_path / "7b" / "left-over").touch()
    _, _, folder = saved(tmp_path, "7b")
    assert not (folder / "left-over").exists()
    assert (folder / "log.json").read_text("utf-8") == "{}\n"
    assert [path.name for path in tmp_path.iterdir()] == ["7b"]


def test_a_missing_checkpoint_says_how_to_get_it(tmp_path):
    with pytest.raises(MissingResource, match=r"palo train --scale 7b"):
        load_checkpoint(tmp_path / "7b")


def test_trainable_parameters_alone_are_kept_and_come_back(tmp_path):
    model = make_model(make_scale("7b"), make_tokenizer())
    model.requires_grad_(False)
    model.model.multi_modal_projector.requires_grad_(True)
    save_whole(tmp_path / "projector.safetensors", model)
    before = model.model.multi_modal_projector.linear_1.weight.detach().clone()
    with torch.no_grad():
        model.model.multi_modal_projector.linear_1.weight.zero_()
    load_whole(tmp_path / "projector.safetensors", model)
    assert torch.equal(model.model.multi_modal_projector.linear_1.weight, before)
    with safe_open(tmp_path / "projector.safetensors", "pt") as file:
        assert len(list(file.keys())) == 4


@pytest.mark.parametrize(("name", "projector"), [("7b", "mlp2"), ("1.7b", "ldp")])
def test_the_config_says_what_stock_fields_cannot(tmp_path, name, projector):
    scale, tokenizer = make_scale(name), make_tokenizer()
    model = make_model(scale, tokenizer)
    for number, tower in enumerate(("openai/some-clip", str(tmp_path))):
        model.config.__dict__.pop("palo", None)
        model.model.vision_tower.config._name_or_path = tower
        save_checkpoint(tmp_path / str(number), model, tokenizer, make_processor(64))
    sections = [
        json.loads((tmp_path / number / "config.json").read_text("utf-8"))["palo"]
        for number in ("0", "1")
    ]
    assert sections[0] == {
        "layout": "hf",
        "projector": projector,
        "image_aspect_ratio": "pad",
        "template": "vicuna_v1",
        "vision_tower": "openai/some-clip",
    }
    assert sections[1]["vision_tower"] is None  # a folder of this machine
    assert load_checkpoint(tmp_path / "0")[0].config.palo == sections[0]


def served(messages, **settings):
    """The text that a server makes of a request's messages."""
    from train.model.checkpoint import CHAT_TEMPLATE

    tokenizer = make_tokenizer()
    tokenizer.chat_template = CHAT_TEMPLATE
    tokenizer.bos_token, tokenizer.eos_token = "<s>", "</s>"
    return tokenizer.apply_chat_template(messages, tokenize=False, **settings)


def message(role, *parts):
    return {"role": role, "content": list(parts)}


TEXT, PICTURE = {"type": "text", "text": " What is it?\n"}, {"type": "image"}
SYSTEM_TEXT = (
    "A chat between a curious user and an artificial intelligence assistant. "
    "The assistant gives helpful, detailed, and polite answers to the user's questions."
)


def test_the_served_template_is_vicuna_v1_over_several_rounds():
    talk = [
        message("user", TEXT, PICTURE),
        message("assistant", {"type": "text", "text": "A cat."}),
        {"role": "user", "content": "Its colour?"},
    ]
    assert served(talk, add_generation_prompt=True) == (
        f"<s>{SYSTEM_TEXT} USER: <image>\nWhat is it? ASSISTANT: A cat.</s>"
        "USER: Its colour? ASSISTANT:"
    )


def test_a_system_message_takes_the_place_of_the_usual_sentence():
    talk = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Why?"}]
    assert served(talk, add_generation_prompt=True) == "<s>Be brief. USER: Why? ASSISTANT:"


def test_text_without_a_picture_is_left_as_it_is():
    assert served([message("user", TEXT)]) == f"<s>{SYSTEM_TEXT} USER:  What is it?\n "


VICUNA = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0, "max_length": 4096}
WRONG = [
    {"temperature": 0.9, "top_p": 0.6},  # Vicuna's
    {"num_beams": 1, "early_stopping": True},
    {"typical_p": 0.5},
    {"max_new_tokens": 5},
    {"pad_token_id": -1},
    {"num_return_sequences": 3},  # these, transformers would not even load
    {"early_stopping": "maybe"},
    {"cache_implementation": "none such"},
]


@pytest.mark.parametrize("wrong", WRONG)
def test_a_checkpoint_has_a_generation_config_of_its_own(tmp_path, wrong):
    tokenizer = make_tokenizer()
    tiny_llama(tokenizer, 16, 1, 2).save_pretrained(tmp_path / "lm")
    tokenizer.save_pretrained(tmp_path / "lm")
    write_json(tmp_path / "lm" / "generation_config.json", {**VICUNA, **wrong})
    language_model, tokenizer = load_language_model(str(tmp_path / "lm"), None, torch.float32)
    scale = make_scale("7b")
    tower = make_model(scale, tokenizer).model.vision_tower
    model = assemble(scale, tower, language_model, tokenizer, 1)
    save_checkpoint(tmp_path / "7b", model, tokenizer, make_processor(64))
    kept = read_json(tmp_path / "7b" / "generation_config.json")
    del kept["transformers_version"]
    expected = dict(VICUNA)
    if wrong.get("pad_token_id") == -1:
        del expected["pad_token_id"]
    assert kept == expected


@pytest.mark.parametrize("wrong", WRONG)
def test_a_checkpoint_made_elsewhere_is_read_and_written_again(tmp_path, wrong):
    _, tokenizer, folder = saved(tmp_path, "7b")
    write_json(folder / "generation_config.json", {**VICUNA, **wrong})
    model, tokenizer = load_checkpoint(folder)
    save_checkpoint(tmp_path / "again", model, tokenizer, make_processor(64))
    assert read_json(tmp_path / "again" / "generation_config.json")["max_length"] == 4096


def test_a_model_that_says_how_to_sample_is_written_without(tmp_path):
    scale, tokenizer = make_scale("7b"), make_tokenizer()
    model = make_model(scale, tokenizer)
    model.generation_config.temperature = 0.9
    save_checkpoint(tmp_path / "7b", model, tokenizer, make_processor(64))
    assert "temperature" not in read_json(tmp_path / "7b" / "generation_config.json")


def test_a_checkpoint_that_cannot_be_written_is_a_sentence_and_leaves_the_older_one(tmp_path):
    model, tokenizer, folder = saved(tmp_path, "7b")
    model.config.temperature = 0.9  # transformers writes no config that says how to sample
    with pytest.raises(UserError, match=r"7b could not be written: Some generation parameters"):
        save_checkpoint(folder, model, tokenizer, make_processor(64))
    assert [path.name for path in tmp_path.iterdir()] == ["7b"]
    load_checkpoint(folder)


def golden_tokenizer():
    """Llama's own kind, which puts a space after every special token."""
    tokenizer = load_tokenizer(str(ROOT / "tests" / "golden" / "tokenizer"))
    add_image(tokenizer)
    return tokenizer


@pytest.fixture(scope="module", params=["tiny", "golden", True, False, None])
def any_tokenizer(request, tmp_path_factory):
    """Also of 32,000 pieces, with each setting of `legacy`."""
    if request.param == "tiny":
        return make_tokenizer()
    if request.param == "golden":
        return golden_tokenizer()
    place = tmp_path_factory.mktemp("tokenizer") / "published"
    tokenizer = load_tokenizer(str(folder_of(place, request.param)))
    add_image(tokenizer)
    return tokenizer


TALK = (
    message("user", PICTURE, {"type": "text", "text": "Is it red?\nOr what?"}),
    message("assistant", {"type": "text", "text": "A red circle."}),
    message("user", {"type": "text", "text": "какого цвета?"}),
)


@pytest.mark.parametrize("name", ["1.7b", "7b", "13b"])
def test_every_client_sees_the_tokens_of_training_with_one_start_token(
    tmp_path, name, any_tokenizer
):
    tokenizer = any_tokenizer
    model = make_model(make_scale(name), make_tokenizer())
    model.config.image_token_id = tokenizer.convert_tokens_to_ids(IMAGE_TAG)
    save_checkpoint(tmp_path / name, model, tokenizer, make_processor(64))
    before = Round("Is it red?\nOr what?", "A red circle.", True)
    prompt = list(Template(tokenizer).prompt("какого цвета?", False, [before]))
    place, image = prompt.index(IMAGE_TOKEN), model.config.image_token_id
    expanded = [*prompt[:place], *[image] * model.config.image_seq_length, *prompt[place + 1 :]]
    assert prompt.count(tokenizer.bos_token_id) == 1
    processor, picture = AutoProcessor.from_pretrained(tmp_path / name), Image.new("RGB", (30, 50))
    text = processor.apply_chat_template(TALK, add_generation_prompt=True)
    assert processor(text=text, images=[picture])["input_ids"][0] == expanded
    talk = copy.deepcopy(TALK)
    talk[0]["content"][0]["image"] = picture
    asked = processor.apply_chat_template(
        talk, add_generation_prompt=True, tokenize=True, return_dict=True
    )
    assert asked["input_ids"][0] == expanded
    served_ids = processor.tokenizer(text, add_special_tokens=False).input_ids  # as vLLM does
    assert [IMAGE_TOKEN if token == image else token for token in served_ids] == prompt
    again = Template(load_checkpoint(tmp_path / name)[1])
    assert list(again.prompt("какого цвета?", False, [before])) == prompt


@pytest.mark.parametrize("name", ["7b", "1.7b"])
def test_no_file_says_where_the_models_lay_on_this_machine(tmp_path, name):
    tiny_llama(make_tokenizer(), 16, 1, 2).save_pretrained(tmp_path / "parts" / "lm")
    make_tokenizer().save_pretrained(tmp_path / "parts" / "lm")
    scale = make_scale(name)
    make_model(scale, make_tokenizer()).model.vision_tower.save_pretrained(tmp_path / "parts/tower")
    tower = CLIPVisionModel.from_pretrained(tmp_path / "parts" / "tower")
    read = load_language_model(str(tmp_path / "parts" / "lm"), None, torch.float32)
    model = assemble(scale, tower, *read, 3)
    save_checkpoint(tmp_path / name, model, read[1], make_processor(64))
    for path in (tmp_path / name).glob("*.json"):
        text = path.read_text("utf-8")
        for word in (str(tmp_path), "_name_or_path", "is_local", "local_files_only"):
            assert word not in text, (path.name, word)


@pytest.mark.parametrize("harm", ["cut", "flipped"])
def test_weights_that_the_disk_gives_back_otherwise_are_no_checkpoint(tmp_path, monkeypatch, harm):
    def write_digests(folder, paths):
        for path in paths:
            data = bytearray(path.read_bytes())
            data[-1] ^= 1
            path.write_bytes(data if harm == "flipped" else data[:-4])

    monkeypatch.setattr("train.model.checkpoint.write_digests", write_digests)
    with pytest.raises(UserError, match=r"7b could not be written: .*What was trained is kept"):
        saved(tmp_path, "7b")
    assert not (tmp_path / "7b").exists()


def test_sizes_and_digests_of_the_weights_stay_beside_them(tmp_path):
    _, _, folder = saved(tmp_path, "7b")
    written = read_json(folder / "digests.json")
    assert list(written) == ["model.safetensors"]
    assert written["model.safetensors"][0] == (folder / "model.safetensors").stat().st_size
    assert damage(folder) is None
    data = bytearray((folder / "model.safetensors").read_bytes())
    data[-9] ^= 1
    (folder / "model.safetensors").write_bytes(data)
    assert damage(folder) == "model.safetensors was changed after it was written"
