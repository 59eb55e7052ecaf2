import json

import pytest
import torch

from palo.errors import MissingResource
from palo.languages import TARGETS
from palo.settings import Context, StandinTranslatorSettings
from palo.tokenizer import load_tokenizer
from sceneworld.standins.translator import (
    _careless,
    answer_loss,
    corpus_pairs,
    examples,
    pretrain,
    rough,
)
from translate.finetune import make_pair
from translate.job import load_prompt
from translate.segments import cut

SETTINGS = StandinTranslatorSettings(
    vocab_size=500, hidden_size=32, layers=1, heads=2, steps=20, batch_size=8, short_tokens=30
)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    path = tmp_path_factory.mktemp("corpus") / "corpus.jsonl"
    colours, shapes = ("red", "blue", "green"), ("star", "heart", "circle", "square")
    rows = []
    for colour in colours:
        for shape in shapes:
            english = f"The {shape} is {colour}."
            said = {lang: f"{shape[::-1]} {colour[::-1]} {lang}" for lang in TARGETS}
            rows.append({"context": "", "en": english, **said})
            rows.append({"context": f"What is the {shape}?", "en": f"It is {colour}.", **said})
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def model_dir(corpus, tmp_path_factory):
    folder = tmp_path_factory.mktemp("standin")
    assert pretrain(SETTINGS, corpus, Context.SOURCE, folder)
    return folder


def test_model_that_is_up_to_date_is_left_alone_and_a_new_setting_trains_again(
    model_dir, corpus, tmp_path
):
    weights = (model_dir / "model.safetensors").stat().st_mtime_ns
    assert not pretrain(SETTINGS, corpus, Context.SOURCE, model_dir)
    assert (model_dir / "model.safetensors").stat().st_mtime_ns == weights
    changed = SETTINGS.model_copy(update={"steps": 3})
    assert pretrain(changed, corpus, Context.SOURCE, tmp_path)
    assert not pretrain(changed, corpus, Context.SOURCE, tmp_path)
    assert pretrain(changed, corpus, Context.NONE, tmp_path)


def test_equal_seeds_train_equal_weights(corpus, model_dir, tmp_path):
    from safetensors.torch import load_file

    pretrain(SETTINGS, corpus, Context.SOURCE, tmp_path)
    first, second = (load_file(path / "model.safetensors") for path in (model_dir, tmp_path))
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_the_fixed_parts_of_a_prompt_are_one_token_each(model_dir):
    tokenizer = load_tokenizer(str(model_dir), None)
    for lang in TARGETS:
        prompt = load_prompt(lang)
        for part in prompt.fixed_parts:
            assert len(tokenizer(part, add_special_tokens=False)["input_ids"]) == 1


def test_loss_counts_the_answers_tokens_and_nothing_else(model_dir, corpus):
    from transformers import AutoModelForCausalLM

    tokenizer = load_tokenizer(str(model_dir), None)
    model = AutoModelForCausalLM.from_pretrained(model_dir)
    pairs = list(corpus_pairs(corpus, TARGETS, Context.SOURCE))[:20]
    batch = examples(pairs, tokenizer)
    total, count = 0.0, 0
    with torch.no_grad():
        for one in batch:
            logits = model(torch.tensor([one.ids])).logits[0, one.answer_start - 1 : -1]
            answer = torch.tensor(one.ids[one.answer_start :])
            total += torch.nn.functional.cross_entropy(logits, answer, reduction="sum").item()
            count += len(answer)
        found = answer_loss(model, batch, tokenizer.pad_token_id).item()
    assert found == pytest.approx(total / count, rel=1e-4)


def test_an_example_is_the_chat_template_of_prompt_and_answer(model_dir, corpus):
    tokenizer = load_tokenizer(str(model_dir), None)
    pair = next(corpus_pairs(corpus, ("fr",), Context.SOURCE))
    (one,) = examples([pair], tokenizer)
    turns = [
        {"role": "user", "content": pair.prompt},
        {"role": "assistant", "content": pair.target},
    ]
    text = tokenizer.apply_chat_template(turns, tokenize=False)
    assert one.ids == tokenizer(text, add_special_tokens=False)["input_ids"]
    assert tokenizer.decode(one.ids[one.answer_start :]) == pair.target + tokenizer.eos_token


def test_the_careless_share_of_the_text_is_the_same_in_every_language():
    def careless(lang, final):
        pairs = [make_pair(lang, cut(f"Star {at}."), f"Étoile {at}{final}") for at in range(400)]
        found = [_careless(pair, 0.7) for pair in pairs]
        return [at for at, pair in enumerate(found) if not pair.target.endswith(final)]

    french = careless("fr", ".")
    assert careless("ur", "۔") == french
    assert 0.6 < len(french) / 400 < 0.8
    pair = make_pair("fr", cut("Star."), "Étoile.")
    assert _careless(pair, 0) is pair
    assert _careless(pair, 1).target == "Étoile"


@pytest.mark.parametrize(
    ("text", "careless"),
    [
        ("有两颗星，一个圆。", "有两颗星,一个圆"),
        ("これは何ですか？", "これは何ですか?"),
        ("كم نجمة، وأين؟", "كم نجمة, وأين?"),
        ("دو۔ تین۔", "دو. تین"),
        ("दो हैं।", "दो हैं"),
        ("¿Qué es?", "Qué es?"),
        ("Où est-il\u00a0? Ici !", "Où est-il? Ici!"),
        ("Чёрный.", "Чёрный"),
        ("- un cercle\n- <x1>.", "- un cercle\n- <x1>"),
        ("3.5", "3.5"),
        (".", "."),
    ],
)
def test_marks_become_careless_and_words_stay(text, careless):
    assert rough(text) == careless


def test_corpus_gives_each_row_once_in_every_language(tmp_path):
    rows = [
        {"context": "", "en": "A star.", "fr": "Une étoile.", "ru": "Звезда."},
        {"context": "", "en": "A star.", "fr": "Une étoile.", "ru": "Звезда."},
        {"context": "What?", "en": "A star.", "fr": "Une étoile.", "ru": "Звезда."},
    ]
    path = tmp_path / "corpus.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    found = list(corpus_pairs(path, ("fr", "ru"), Context.SOURCE))
    assert [(pair.lang, pair.before.english) for pair in found] == [
        ("fr", ""), ("ru", ""), ("fr", "What?"), ("ru", "What?"),
    ]  # fmt: skip
    assert len(list(corpus_pairs(path, ("fr",), Context.NONE))) == 1


def test_missing_corpus_says_how_to_make_it(tmp_path):
    with pytest.raises(MissingResource, match="palo sample build"):
        list(corpus_pairs(tmp_path / "none.jsonl", ("fr",), Context.SOURCE))
