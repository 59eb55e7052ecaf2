import json
import shutil

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoTokenizer

from palo.errors import MissingResource, UserError
from tests.train.conftest import make_tokenizer
from tests.train.conversion.published_folders import (
    GOLDEN,
    TOKENS,
    PublishedModel,
    write_base,
    write_full,
    write_tower,
)
from train.conversion.convert import convert
from train.conversion.published import Conversion, folder_tokenizer, save_published_tokenizer
from train.conversion.tensors import (
    cut,
    held,
    is_padding,
    mean_rows,
    pad,
    padded_rows,
    published_rows,
)
from train.data.template import add_image


@pytest.mark.parametrize(
    ("rows", "tokens", "ours"),
    [(32000, 32001, 32064), (32064, 32001, 32064), (300, 300, 300), (64, 65, 128), (63, 64, 64)],
)
def test_rows_are_padded_to_a_multiple_of_64_where_the_image_has_none(rows, tokens, ours):
    assert padded_rows(rows, tokens) == ours


def test_the_image_token_comes_after_all_others_and_padding_is_the_unknown_token():
    tokenizer = folder_tokenizer(GOLDEN / "tokenizer")
    tokenizer.pad_token = None
    assert add_image(tokenizer) == TOKENS
    assert tokenizer.pad_token == "<unk>"
    assert published_rows(tokenizer, TOKENS, 2624) == TOKENS
    assert add_image(tokenizer) == TOKENS  # once


def test_an_image_token_of_the_model_itself_is_no_addition():
    tokenizer = make_tokenizer()
    assert published_rows(tokenizer, add_image(tokenizer), len(tokenizer)) == len(tokenizer)


def test_texts_are_tokenised_as_before_once_the_image_token_is_there_or_gone(tmp_path):
    text = "USER: \nWhat is 图 <image> in यह? ASSISTANT: un chat</s>"
    plain = folder_tokenizer(GOLDEN / "tokenizer")
    ids = plain(text).input_ids
    tokenizer = folder_tokenizer(GOLDEN / "tokenizer")
    add_image(tokenizer)
    assert TOKENS in tokenizer(text).input_ids
    save_published_tokenizer(tokenizer, TOKENS, tmp_path)
    published = AutoTokenizer.from_pretrained(tmp_path)
    assert published(text).input_ids == ids
    assert len(published) == TOKENS


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_rows_are_cut_and_put_back(dtype):
    matrix = torch.randn(10, 3, generator=torch.manual_seed(0)).to(dtype)
    short, rest = cut(held(matrix), 0, 7), cut(held(matrix), 7, 10)
    assert (short.shape, rest.shape) == ((7, 3), (3, 3))
    assert torch.equal(pad(short, 10, rest).read(), matrix)
    assert not is_padding(held(matrix), 7)
    made_up = pad(short, 10)
    assert made_up.shape == (10, 3)
    assert torch.equal(made_up.read()[7:], mean_rows(matrix[:7], 3))
    assert is_padding(made_up, 7)
    assert torch.equal(pad(short, 9, rest).read(), made_up.read()[:9])  # of another size: not used
    assert pad(short, 7) is short


def test_a_tokenizer_that_is_missing_or_broken_is_said_to_be(tmp_path):
    with pytest.raises(MissingResource, match=r"No tokenizer in .*--base"):
        folder_tokenizer(tmp_path)
    (tmp_path / "tokenizer.model").write_bytes(b"\x00nothing")
    with pytest.raises(UserError, match=r"cannot be read .* sentencepiece and protobuf"):
        folder_tokenizer(tmp_path)


def write_sentencepiece(folder):
    """What Vicuna's folder has: tokenizer.model, and no tokenizer.json."""
    sentencepiece = pytest.importorskip("sentencepiece")
    words = ["a red circle", "what is it? USER: ASSISTANT: yes", "le chat dort"]
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(words * 30),
        model_prefix=str(folder / "tokenizer"),
        model_type="bpe",
        vocab_size=100,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    (folder / "tokenizer.vocab").unlink()
    (folder / "tokenizer.json").unlink(missing_ok=True)
    settings = {"tokenizer_class": "LlamaTokenizer", "unk_token": "<unk>", "legacy": False}
    settings |= {"bos_token": "<s>", "eos_token": "</s>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), "utf-8")
    return sentencepiece.SentencePieceProcessor(str(folder / "tokenizer.model"))


def test_a_sentencepiece_model_is_read_and_goes_back_as_it_was(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = PublishedModel(rows=100)
    write_tower(tmp_path / "tower", model)
    write_base(tmp_path / "vicuna", model)
    processor = write_sentencepiece(tmp_path / "vicuna")
    rows = processor.vocab_size()
    model = PublishedModel(rows=rows)
    write_full(tmp_path / "a", model)
    for path in (tmp_path / "a").glob("*token*"):
        path.unlink()
    for path in (tmp_path / "vicuna").glob("tokenizer*"):
        shutil.copyfile(path, tmp_path / "a" / path.name)
    convert(Conversion(tmp_path / "a", tmp_path / "ours"))
    ours = AutoTokenizer.from_pretrained(tmp_path / "ours")
    assert ours("a red chat", add_special_tokens=False).input_ids == processor.encode("a red chat")
    assert ours.convert_tokens_to_ids("<image>") == rows
    stored = (tmp_path / "a" / "tokenizer.model").read_bytes()
    convert(Conversion(tmp_path / "ours", tmp_path / "back"))
    assert (tmp_path / "back" / "tokenizer.model").read_bytes() == stored
    shutil.rmtree(tmp_path / "ours" / "palo")  # nothing is known of it, but the base has it
    assert "It has no tokenizer.model" in convert(Conversion(tmp_path / "ours", tmp_path / "none"))
    base = str(tmp_path / "vicuna")
    told = convert(Conversion(tmp_path / "ours", tmp_path / "anew", base=base))
    assert "tokenizer.model" not in told
    assert (tmp_path / "anew" / "tokenizer.model").read_bytes() == stored
    assert not (tmp_path / "anew" / "tokenizer.json").exists()
    weights = load_file(tmp_path / "anew" / "model.safetensors")
    assert weights["model.embed_tokens.weight"].shape[0] == rows
