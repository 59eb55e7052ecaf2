import pytest

from palo.engines.stream import load_model, plain_generation, stop_ids
from palo.files import read_json, write_json
from sceneworld.standins.tiny import tiny_llama, train_tokenizer

TOKENS = {"bos_token_id": 1, "eos_token_id": [2, 5], "pad_token_id": 0}


@pytest.fixture
def folder(tmp_path):
    tokenizer = train_tokenizer(["a red circle"], 300)
    tiny_llama(tokenizer, 16, 1, 2).save_pretrained(tmp_path / "lm")
    tokenizer.save_pretrained(tmp_path / "lm")
    return tmp_path / "lm"


def saved_again(folder, **stated):
    """What is written of the generation config once a model was read and saved again."""
    write_json(folder / "generation_config.json", {**TOKENS, **stated})
    load_model(str(folder), None, "float32").save_pretrained(folder / "again")
    kept = read_json(folder / "again" / "generation_config.json")
    del kept["transformers_version"]
    return kept


@pytest.mark.parametrize(
    "wrong",
    [
        {"temperature": 0.9, "top_p": 0.6},
        {"num_beams": 1, "early_stopping": True},
        {"typical_p": 0.5},
        {"num_return_sequences": 3},
        {"cache_implementation": "none such"},
    ],
)
def test_a_model_with_a_wrong_generation_config_is_saved_without_what_is_wrong(folder, wrong):
    assert saved_again(folder, max_length=4096, **wrong) == {**TOKENS, "max_length": 4096}


def test_a_generation_config_that_can_be_written_stays_as_it_is(folder):
    sampled = {"do_sample": True, "temperature": 0.7, "repetition_penalty": 1.05}
    assert saved_again(folder, **sampled) == {**TOKENS, **sampled}


def test_what_a_config_says_of_sampling_is_not_saved_where_there_is_no_other(folder):
    (folder / "generation_config.json").unlink()
    config = read_json(folder / "config.json")
    write_json(folder / "config.json", {**config, "temperature": 0.9})
    load_model(str(folder), None, "float32").save_pretrained(folder / "again")
    kept = read_json(folder / "again" / "generation_config.json")
    assert (kept["eos_token_id"], kept.get("temperature")) == (config["eos_token_id"], None)


def test_no_padding_is_no_token():
    assert plain_generation({**TOKENS, "pad_token_id": -1}).pad_token_id is None


def test_every_token_that_ends_an_answer_is_known(folder):
    class Tokenizer:
        eos_token_id = 7

    write_json(folder / "generation_config.json", {**TOKENS, "num_return_sequences": 3})
    assert stop_ids(str(folder), None, Tokenizer) == {2, 5, 7}
    (folder / "generation_config.json").unlink()
    assert stop_ids(str(folder), None, Tokenizer) == {7}
