"""MetricX's error score, on a tiny mT5."""

import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer, MT5ForConditionalGeneration

from palo.errors import UserError
from palo.schemas import Verdict
from palo.settings import MetricxSettings
from refine.models import MetricxFilter


def settings(folder, **more):
    return MetricxSettings(model=str(folder), tokenizer=str(folder), **{"score_token": 20, **more})


def by_hand(folder, pair, token):
    """The score of one pair by itself: no batch, no padding."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = MT5ForConditionalGeneration.from_pretrained(folder)
    weights = load_file(folder / "model.safetensors")
    assert not torch.equal(weights["lm_head.weight"], weights["shared.weight"])
    model.lm_head.weight = torch.nn.Parameter(weights["lm_head.weight"])
    ids = tokenizer(
        f"source: {pair.source} candidate: {pair.target}", return_tensors="pt"
    ).input_ids
    assert ids[0, -1] == tokenizer.eos_token_id
    ids = ids[:, :-1]  # as MetricX was trained
    with torch.no_grad():
        logits = model(
            input_ids=ids, decoder_input_ids=torch.zeros((1, 1), dtype=torch.long)
        ).logits
    return min(25.0, max(0.0, logits[0, 0, token].item()))


@pytest.fixture
def token(tiny_mt5, pairs):
    """A token whose logits lie within the scale and apart for the two pairs."""
    for token in range(10, 100):
        one, other = (by_hand(tiny_mt5, pair, token) for pair in pairs)
        if 0 < one < 25 and 0 < other < 25 and abs(one - other) > 0.01:
            return token
    raise AssertionError("the tiny model tells no pair from another")


def test_scores_are_the_first_steps_logit_of_one_token_whatever_the_batch(tiny_mt5, pairs, token):
    texts = [(one.source, one.target) for one in pairs]
    wanted = [by_hand(tiny_mt5, one, token) for one in pairs]
    for batch_size in (1, 2):
        one = MetricxFilter(settings(tiny_mt5, score_token=token, batch_size=batch_size))
        assert one.scores(texts) == pytest.approx(wanted, abs=1e-4)


def test_scores_stay_within_the_scale(tiny_mt5, pairs):
    texts = [(one.source, one.target) for one in pairs]
    for token in range(8, 40):
        scores = MetricxFilter(settings(tiny_mt5, score_token=token)).scores(texts)
        assert all(0 <= score <= 25 for score in scores)


def test_above_the_limit_is_review_and_below_it_nothing(tiny_mt5, pairs, token):
    low, high = sorted(by_hand(tiny_mt5, one, token) for one in pairs)
    one = MetricxFilter(settings(tiny_mt5, score_token=token, max_score=(low + high) / 2))
    found = [said for said in one.judge(pairs, "ur") if said]
    assert [said.verdict for said in found] == [Verdict.REVIEW]
    assert found[0].score == pytest.approx(high, abs=1e-4)


def test_the_published_token_needs_the_published_vocabulary(tiny_mt5, pairs):
    one = MetricxFilter(settings(tiny_mt5, score_token=250089))
    with pytest.raises(UserError, match="no MetricX model"):
        one.judge(pairs, "ur")


def test_a_model_without_a_head_of_its_own_is_refused(tiny_mt5, pairs, tmp_path):
    shutil.copytree(tiny_mt5, tmp_path / "mt5")
    weights = load_file(tmp_path / "mt5" / "model.safetensors")
    del weights["lm_head.weight"]
    save_file(weights, tmp_path / "mt5" / "model.safetensors", {"format": "pt"})
    with pytest.raises(UserError, match="it lacks lm_head"):
        MetricxFilter(settings(tmp_path / "mt5")).judge(pairs, "ur")
