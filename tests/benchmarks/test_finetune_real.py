import json

import pytest

from benchmarks.harness import gold_pairs
from palo.languages import TARGETS
from palo.settings import Context, StandinTranslatorSettings
from sceneworld.standins.translator import pretrain


@pytest.fixture
def base_dir(tmp_path):
    """A chat model that has hardly been trained."""
    corpus = tmp_path / "corpus.jsonl"
    rows = [
        {"context": "", "en": pair.source, **dict.fromkeys(TARGETS, pair.target)}
        for pair in gold_pairs(60)["fr"]
    ]
    corpus.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    tiny = StandinTranslatorSettings(vocab_size=500, hidden_size=32, layers=1, heads=2, steps=5)
    pretrain(tiny, corpus, Context.SOURCE, tmp_path / "model")
    return tmp_path / "model"


@pytest.mark.slow
def test_scores_before_and_after_a_fine_tune_are_printed_last(base_dir, run_benchmark):
    words = ["--model", base_dir, "--num", 40, "--epochs", 1, "--max-tokens", 8]
    _, figures = run_benchmark("finetune_real", *words)
    scores = figures["scores"]
    assert scores["pairs"] + scores["held_out"] == 40
    assert figures["refused"] == (scores["after"]["chrf"] < scores["before"]["chrf"])
