"""An answer's limit follows its text and its language, and fits into the model's context."""

from math import ceil
from pathlib import Path

import pytest

from palo.engines.limits import FLOOR, AnswerLimit, limit_version
from palo.engines.open import open_engine, signature
from palo.engines.stream import Message, Request, Sampling, Weights, chat_text
from palo.languages import TARGETS
from palo.settings import EngineKind, TranslatorSettings
from palo.tokenizer import load_tokenizer

REPO_DIR = Path(__file__).resolve().parents[3]
PAIRS = [
    line.split("\t")
    for line in (REPO_DIR / "palo/engines/parallel.tsv").read_text("utf-8").split("\n")[1:-1]
]


def gold(lang):
    text = (REPO_DIR / f"benchmarks/gold/en-{lang}.tsv").read_text("utf-8")
    return [line.split("\t") for line in text.rstrip("\n").split("\n")]


@pytest.fixture
def settings(engine_settings):
    return engine_settings.model_copy(update={"max_tokens": None, "max_model_tokens": 8192})


@pytest.fixture
def absent(tmp_path):
    """A translator whose tokenizer is elsewhere, as a server's is."""
    return TranslatorSettings(model="palo-tests/elsewhere", finetuned_dir=tmp_path)


@pytest.fixture
def count(model_dir):
    tokenizer = load_tokenizer(str(model_dir))
    return lambda text: len(tokenizer(text, add_special_tokens=False)["input_ids"])


def test_every_language_has_its_pairs():
    assert {lang: sum(row[0] == lang for row in PAIRS) for lang in TARGETS} == dict.fromkeys(
        TARGETS, 30
    )
    assert all(len(row) == 3 and all(row) for row in PAIRS)


@pytest.mark.parametrize("lang", ["es", "bn"])
def test_a_factor_is_measured_with_the_translators_own_tokenizer(settings, count, lang):
    english, target = (sum(count(row[at]) for row in PAIRS if row[0] == lang) for at in (1, 2))
    limit = AnswerLimit(lang, settings)
    assert limit.factor == target / english
    assert limit.counted_by == f"tokenizer of {settings.model}"
    text = "red blue green " * 80
    assert limit.tokens(text, text) == ceil(2 * limit.factor * count(text)) > FLOOR


def test_a_language_without_pairs_gets_what_the_longest_has(settings):
    most = max(AnswerLimit(lang, settings).factor for lang in TARGETS)
    assert AnswerLimit("xx", settings).factor == most


@pytest.mark.parametrize("lang", TARGETS)
def test_honest_translations_fit(settings, count, lang):
    """One that the old limit of 512 would have cut in Bengali, and all but one in a thousand of the
    short ones."""
    limit, pairs = AnswerLimit(lang, settings), gold(lang)
    cut = [pair for pair in pairs if count(pair[1]) >= limit.tokens(pair[0], pair[0])]
    assert len(cut) <= len(pairs) / 1000
    for start in range(0, len(pairs) - 20, 20):
        english, target = (" ".join(side) for side in zip(*pairs[start : start + 20], strict=True))
        assert count(target) < limit.tokens(english, "")


def test_without_a_tokenizer_four_characters_are_a_token_and_factors_are_assumed(absent):
    assert AnswerLimit("bn", absent).tokens("x" * 400, "") == ceil(2 * 4.87 * 100)
    assert AnswerLimit("es", absent).tokens("x" * 400, "") == 254
    assert AnswerLimit("xx", absent).factor == 4.87
    assert AnswerLimit("bn", absent).counted_by == "estimated: no tokenizer here"
    # of the prompt, nothing is known but its bytes
    near = absent.model_copy(update={"max_model_tokens": 1500})
    assert AnswerLimit("bn", near).tokens("x" * 400, "x" * 3000) == 974
    assert AnswerLimit("bn", near).tokens("x" * 400, "x" * 2100) == 1500 - 64 - 700


def test_a_short_text_has_room_for_a_few_words_more(settings, absent):
    assert AnswerLimit("fr", settings).tokens("Two.", "Two.") == FLOOR
    assert AnswerLimit("fr", absent).tokens("Two.", "Two.") == FLOOR


def test_a_number_in_the_settings_stands_for_all(settings):
    fixed = settings.model_copy(update={"max_tokens": 24})
    assert AnswerLimit("bn", fixed).tokens("red " * 500, "red " * 500) == 24
    assert limit_version(fixed) == limit_version(fixed, is_served=True) == "24"


def test_a_limit_ends_where_the_models_context_does_and_the_engine_takes_it(settings):
    text = " ".join(["red star"] * 20)
    tokenizer = load_tokenizer(settings.model)
    prompt = chat_text(tokenizer, [Message("user", text)])
    size = len(tokenizer(prompt, add_special_tokens=False)["input_ids"])
    wanted = AnswerLimit("fr", settings).tokens(text, text)
    tight = settings.model_copy(update={"max_model_tokens": size + wanted - 5})
    limit = AnswerLimit("fr", tight).tokens(text, text)
    assert limit == wanted - 5
    request = Request("a", (Message("user", text),), Sampling(limit))
    with open_engine(EngineKind.TRANSFORMERS, Weights(tight.model), tight) as engine:
        [result] = engine.stream([request])
    assert not result.error


def test_a_text_whose_usual_translation_has_no_room_is_refused_not_cut(settings):
    text = " ".join(["red star"] * 60)
    small = settings.model_copy(update={"max_model_tokens": 160})
    limit = AnswerLimit("bn", small).tokens(text, text)
    assert limit == AnswerLimit("bn", settings).tokens(text, text)
    request = Request("a", (Message("user", text),), Sampling(limit))
    with open_engine(EngineKind.TRANSFORMERS, Weights(small.model), small) as engine:
        [result] = engine.stream([request])
    assert "the model takes 160 with its answer" in result.error


def test_signatures_say_what_decides_the_limit(settings, absent, monkeypatch):
    weights = Weights(settings.model)
    fixed = settings.model_copy(update={"max_tokens": 24})
    assert "|max_tokens=24|" in str(signature(weights, fixed))  # as it always was
    derived = str(signature(weights, settings))
    assert f"|max_tokens={limit_version(settings)}|" in derived
    # a server's model is known by name alone, so what its texts are counted with is told
    here, elsewhere = (limit_version(of, is_served=True) for of in (settings, absent))
    assert len({here, elsewhere, limit_version(settings)}) == 3
    served = {
        name: str(open_engine(EngineKind.OPENAI, Weights(of.model), of).signature)
        for name, of in (("here", settings), ("elsewhere", absent))
    }
    assert here in served["here"] and elsewhere in served["elsewhere"]
    monkeypatch.setattr("palo.engines.limits.MARGIN", 3.0)
    assert str(signature(weights, settings)) != derived
