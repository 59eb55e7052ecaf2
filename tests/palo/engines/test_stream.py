"""Answers come out of token ids the same way in every engine."""

import pytest

from palo.engines.stream import answer_text
from sceneworld.standins.tiny import train_tokenizer


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(["der rote Ball , n't", "二つの赤い円。"] * 5, 400)


@pytest.mark.parametrize(
    "text", ["der rote Ball", "二つの赤い円。", " zwei  Leerzeichen \n", "n't , so"]
)
def test_a_text_comes_back_letter_by_letter(tokenizer, text):
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert answer_text(tokenizer, ids, "length") == text


def test_what_ended_the_answer_is_no_part_of_it(tokenizer):
    ids = tokenizer("der Ball", add_special_tokens=False)["input_ids"]
    assert answer_text(tokenizer, [*ids, tokenizer.eos_token_id], "stop") == "der Ball"
    mark = tokenizer(",", add_special_tokens=False)["input_ids"]  # a model may end on any token
    assert answer_text(tokenizer, ids + mark, "stop") == "der Ball"
    assert answer_text(tokenizer, ids + mark, "length") == "der Ball,"
