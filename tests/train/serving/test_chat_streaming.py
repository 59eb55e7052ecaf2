import pytest
import torch
from transformers import AutoTokenizer

from tests.train.conftest import ROOT, make_tokenizer
from train.serving.chat import BROKEN, CharacterStreamer

TEXTS = {
    "hi": "यह एक लाल वृत्त है।",
    "bn": "এটি একটি লাল বৃত্ত।",
    "ur": "یہ ایک سرخ دائرہ ہے۔",
    "zh": "这是一个红色的圆𠮷。",
    "ja": "これはあかいまるです。カタカナ",
    "emoji": "ok 👩‍👩‍👧 fine\n\nन",
}


@pytest.fixture(scope="module", params=["Llama's", "ours"])
def tokenizer(request):
    """Both fall back to bytes; Llama's decoder breaks a whole run of them, ours the last alone."""
    if request.param == "ours":
        return make_tokenizer()
    return AutoTokenizer.from_pretrained(ROOT / "tests/golden/tokenizer")


def streamed(tokenizer, ids):
    """What there is to read after each token, and at the end."""
    streamer = CharacterStreamer(tokenizer)
    streamer.put(torch.tensor([[1, 2, 3]]))
    seen = []
    for token in ids:
        streamer.put(torch.tensor([token]))
        seen.append(drain(streamer))
    streamer.end()
    return seen, "".join(streamer)


def drain(streamer):
    pieces = []
    while not streamer.text_queue.empty():
        pieces.append(streamer.text_queue.get_nowait())
    return "".join(pieces)


@pytest.mark.parametrize("lang", TEXTS)
def test_no_piece_has_a_broken_character_and_together_they_are_the_text(tokenizer, lang):
    ids = tokenizer(f" {TEXTS[lang]}", add_special_tokens=False).input_ids
    seen, rest = streamed(tokenizer, [*ids, tokenizer.eos_token_id])
    assert len(ids) > len(TEXTS[lang].split())
    assert not any(BROKEN in piece for piece in seen)
    assert "".join(seen) + rest == TEXTS[lang]


def test_characters_come_as_soon_as_they_are_whole(tokenizer):
    """transformers' own streamer shows kana only at the end."""
    text = "これはあかいまるです"
    ids = tokenizer(text, add_special_tokens=False).input_ids
    seen, rest = streamed(tokenizer, ids)
    assert (rest, "".join(seen)) == ("", text)
    assert max(len(piece) for piece in seen) <= 2


def test_bytes_that_never_become_a_character_are_shown_at_the_end(tokenizer):
    whole = tokenizer("a𠮷", add_special_tokens=False).input_ids
    seen, rest = streamed(tokenizer, whole[:-1])
    assert "".join(seen) == "a"
    assert rest and set(rest) == {BROKEN}
