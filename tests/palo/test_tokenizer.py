"""A Llama's tokenizer from its tokenizer.model alone, as Vicuna-1.5 and MobileLLaMA come.

tests/golden/llama_legacy.json has what PALO's published preprocessing (cfb2116) gives under
transformers 4.31 with 32,000 pieces of SentencePiece: those of mistral_common, which vLLM brings.
"""

import json
from pathlib import Path

import pytest

from palo.schemas import Role, Turn
from palo.tokenizer import for_transformers_4, load_tokenizer
from tests.llama_tokenizer import folder_of, pieces_path
from train.data.template import Template, spans_of

GOLDEN = Path(__file__).parents[1] / "golden"
CONVERSATIONS = json.loads((GOLDEN / "llama_legacy.json").read_text("utf-8"))
# None: a published config that does not say, which transformers 4.31 took for true
AS = {True: "legacy_true", None: "legacy_true", False: "legacy_false"}


@pytest.fixture(scope="module", params=[True, False, None])
def published(request, tmp_path_factory):
    """A tokenizer with each setting of `legacy`, and the key of its golden values."""
    place = tmp_path_factory.mktemp("tokenizer") / "published"
    return load_tokenizer(str(folder_of(place, request.param))), AS[request.param]


@pytest.mark.parametrize("sample", CONVERSATIONS, ids=[row["id"] for row in CONVERSATIONS])
def test_ids_and_labels_equal_the_published_preprocessing(published, sample):
    tokenizer, key = published
    said = [Turn(Role(turn["from"]), turn["value"]) for turn in sample["conversations"]]
    encoded = Template(tokenizer).fit(spans_of(said, "image" in sample))
    assert list(encoded.input_ids) == sample[key]["input_ids"]
    assert list(encoded.labels) == sample[key]["labels"]


def test_runs_of_blanks_are_cut_as_sentencepiece_cuts_them(published):
    from sentencepiece import SentencePieceProcessor

    pieces = SentencePieceProcessor(model_file=str(pieces_path()))
    for text in ("a  b", "   three", "x\n        y", "trailing   ", "\u3000全角  半角"):
        assert published[0](text, add_special_tokens=False).input_ids == pieces.encode(text)


def test_the_next_round_is_cut_as_the_setting_says(published):
    tokenizer, key = published
    said = tokenizer("<s>Hi</s>USER: on", add_special_tokens=False).tokens()
    first = {"legacy_true": "▁US", "legacy_false": "US"}[key]
    assert said == ["<s>", "▁Hi", "</s>", first, "ER", ":", "▁on"]


def test_a_tokenizer_of_transformers_5_that_does_not_say_is_read_as_it_reads_it(tmp_path):
    place = folder_of(tmp_path / "five", None)
    (place / "config.json").write_text(json.dumps({"transformers_version": "5.19.0"}), "utf-8")
    tokenizer = load_tokenizer(str(place))
    assert tokenizer("a</s>USER:").tokens()[3] == "US"


def test_a_tokenizer_that_is_a_llamas_by_its_name_alone_stays_as_it_is(tmp_path):
    from sceneworld.standins.tiny import train_tokenizer

    trained = train_tokenizer(["A red car.", "ایک سرخ کار"], 320)
    trained.save_pretrained(tmp_path)
    path = tmp_path / "tokenizer_config.json"
    told = json.loads(path.read_text("utf-8")) | {"tokenizer_class": "LlamaTokenizerFast"}
    path.write_text(json.dumps(told), "utf-8")
    ours = load_tokenizer(str(tmp_path))
    for text in ("A red  car.", " ایک USER: x"):
        assert ours(text).input_ids == trained(text).input_ids


@pytest.mark.parametrize(("version", "first"), [("4.31.0", "▁US"), ("5.19.0", "US")])
def test_a_config_elsewhere_says_which_version_wrote_the_tokenizer(tmp_path, version, first):
    place = folder_of(tmp_path / "published", None)
    (tmp_path / "config.json").write_text(json.dumps({"transformers_version": version}), "utf-8")
    tokenizer = load_tokenizer(str(place), config_dir=tmp_path)
    assert tokenizer("a</s>USER:").tokens()[3] == first


def test_fields_of_both_versions_are_read_as_the_same_model(tmp_path):
    from transformers import AutoConfig, LlamaConfig

    scaled = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0}
    scaled |= {"high_freq_factor": 4.0, "original_max_position_embeddings": 64}
    for name, rope in (("plain", {"rope_type": "default"}), ("scaled", scaled)):
        asked = {**rope, "rope_theta": 1e6}
        LlamaConfig(rope_parameters=asked).save_pretrained(tmp_path / name)
        for_transformers_4(tmp_path / name)
        told = json.loads((tmp_path / name / "config.json").read_text("utf-8"))
        assert told["rope_theta"] == 1e6  # else 4.57 takes 10,000
        assert told["rope_scaling"] == (None if name == "plain" else scaled)
        assert AutoConfig.from_pretrained(tmp_path / name).rope_parameters == asked


def test_other_tokenizers_stay_as_they_are():
    from transformers import AutoTokenizer

    golden = GOLDEN / "tokenizer"
    ours, theirs = load_tokenizer(str(golden)), AutoTokenizer.from_pretrained(golden)
    text = "One round </s>USER: चित्र में  क्या है?"
    assert ours(text).input_ids == theirs(text).input_ids
