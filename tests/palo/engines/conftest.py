"""A model so small that it is made in a moment, yet says something else to each prompt."""

import random

import pytest

from palo.engines.stream import Message, Request, Sampling
from palo.settings import TranslatorSettings

_SENTENCE = "red blue green star heart circle big small one two three is the a in of picture left"
_WORDS = _SENTENCE.split()


def sentence(rng):
    return " ".join(rng.choice(_WORDS) for _ in range(rng.randint(2, 9)))


@pytest.fixture(scope="session")
def model_dir(tmp_path_factory):
    """Random weights, large enough that each prompt has a text of its own and clear winners.

    A twelfth of the vocabulary ends an answer, so answers end at different lengths.
    """
    import torch

    from sceneworld.standins.tiny import tiny_llama, train_tokenizer

    rng = random.Random(5)
    tokenizer = train_tokenizer([sentence(rng) for _ in range(200)], 400)
    model = tiny_llama(tokenizer, hidden_size=64, layers=2, heads=2, max_position=512, seed=3)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 2:
                parameter.mul_(8)
    stops = [tokenizer.eos_token_id, *range(10, len(tokenizer), 12)]
    model.generation_config.eos_token_id = stops
    folder = tmp_path_factory.mktemp("tiny-translator")
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def engine_settings(model_dir, tmp_path):
    return TranslatorSettings(
        model=str(model_dir),
        finetuned_dir=tmp_path,
        max_tokens=24,
        max_model_tokens=128,
        batch_size=4,
        max_num_seqs=8,
    )


@pytest.fixture
def make_requests():
    def make(count, max_tokens=24, temperature=0.0):
        rng = random.Random(11)
        return [
            Request(
                f"{at:04x}",
                (Message("user", sentence(rng)),),
                Sampling(max_tokens, temperature, seed=at),
            )
            for at in range(count)
        ]

    return make
