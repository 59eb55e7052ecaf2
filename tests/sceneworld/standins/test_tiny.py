"""Tiny models: a tokenizer that loses nothing in ten languages, a Llama of a few numbers."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from palo.languages import LANGUAGES
from sceneworld.standins import tiny

SENTENCES = {
    "en": "There are two big red circles.",
    "zh": "图片里有两个大的红色圆形。",
    "fr": "Il y a deux grands cercles rouges à gauche de l’étoile.",
    "es": "¿Cuántos círculos rojos hay? Hay dos.",
    "ru": "Здесь два больших красных круга.",
    "ja": "大きい赤い円が２つあります。テーブルの上ですか？",
    "ar": "هناك دائرتان حمراوان كبيرتان، أليس كذلك؟",
    "hi": "यहाँ दो बड़े लाल वृत्त हैं।",
    "bn": "এখানে দুটি বড় লাল বৃত্ত আছে।",
    "ur": "یہاں دو بڑے سرخ دائرے ہیں۔",
}
LETTERS = st.text(st.sampled_from(sorted(set("".join(SENTENCES.values())))), max_size=40)
ANY = st.text(st.characters(codec="utf-8"), max_size=40)


@pytest.fixture(scope="module")
def tokenizer():
    return tiny.train_tokenizer(SENTENCES.values(), 700, extra_special=["<image>"])


def ids(tokenizer, text):
    return tokenizer(text, add_special_tokens=False)["input_ids"]


def back(tokenizer, text):
    return tokenizer.decode(ids(tokenizer, text))


def test_there_is_a_sentence_of_each_language():
    assert sorted(SENTENCES) == sorted(LANGUAGES)


@pytest.mark.parametrize("lang", SENTENCES)
def test_a_sentence_of_each_language_comes_back(tokenizer, lang):
    assert back(tokenizer, SENTENCES[lang]) == SENTENCES[lang]


@settings(deadline=None)
@given(LETTERS)
@example(" two  spaces ")
@example("a\n\nb\t\r\n")
@example("Is it ? No , it 's .")
def test_texts_made_of_all_ten_languages_come_back(tokenizer, text):
    assert back(tokenizer, text) == text


@settings(deadline=None)
@given(ANY.filter(lambda text: "<" not in text))
@example("\0")
@example("e\u0301 \u00e9 \u200c\u200f \U0001f600")
def test_any_text_comes_back(tokenizer, text):
    assert back(tokenizer, text) == text


def test_a_saved_tokenizer_reads_the_same(tokenizer, tmp_path):
    from transformers import AutoTokenizer

    tokenizer.save_pretrained(tmp_path)
    again = AutoTokenizer.from_pretrained(tmp_path)
    for text in SENTENCES.values():
        assert ids(again, text) == ids(tokenizer, text)
        assert back(again, text) == text
    assert again.chat_template == tiny.CHAT_TEMPLATE


def test_special_tokens_come_first_and_stay_whole(tokenizer):
    special = ["<unk>", "<s>", "</s>", "<pad>", "<image>"]
    assert tokenizer.convert_tokens_to_ids(special) == [0, 1, 2, 3, 4]
    assert ids(tokenizer, "<image>\nx")[0] == 4
    assert 4 not in ids(tokenizer, "< image>")


def test_a_text_begins_with_the_start_token(tokenizer):
    assert tokenizer("x")["input_ids"] == [1, *ids(tokenizer, "x")]


def test_a_chat_is_its_turns_with_an_end_after_each_answer(tokenizer):
    turns = [{"role": "user", "content": "One?"}, {"role": "assistant", "content": "Two."}]
    assert tokenizer.apply_chat_template(turns, tokenize=False) == "<s>One?\nTwo.</s>"


def test_han_characters_stand_alone():
    tokenizer = tiny.train_tokenizer(["红色圆形"] * 50, 400)
    assert len(ids(tokenizer, "红色圆形")) == 4


def test_training_twice_gives_the_same_tokenizer(tokenizer):
    again = tiny.train_tokenizer(SENTENCES.values(), 700, extra_special=["<image>"])
    assert again.get_vocab() == tokenizer.get_vocab()


def weights(model):
    return {name: tensor.tolist() for name, tensor in model.state_dict().items()}


def test_the_seed_decides_the_llama(tokenizer):
    one, same, other = (tiny.tiny_llama(tokenizer, 16, 1, 2, seed=seed) for seed in (3, 3, 4))
    assert weights(one) == weights(same)
    assert weights(one) != weights(other)


def test_the_llama_fits_its_tokenizer(tokenizer):
    model = tiny.tiny_llama(tokenizer, 16, 2, 2, max_position=64)
    assert model.config.vocab_size == len(tokenizer)
    assert model.config.num_hidden_layers == 2
    assert model.config.max_position_embeddings == 64
    assert model.config.eos_token_id == 2 and model.config.pad_token_id == 3
    assert model.get_output_embeddings().weight is model.get_input_embeddings().weight
