"""LaBSE's similarity, on a tiny BERT."""

import pytest
import torch
from safetensors.torch import save_file
from transformers import AutoModel, AutoTokenizer

from palo.errors import MissingResource
from palo.schemas import TurnStatus, Verdict
from palo.settings import LabseSettings
from refine.filters import TurnPair
from refine.models import LabseFilter


def by_hand(folder, pair, dense=None):
    """The cosine of one pair by itself: no batch, no padding."""
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder)
    points = []
    for text in (pair.source, pair.target):
        with torch.no_grad():
            said = model(**tokenizer(text, return_tensors="pt"))
        if dense is None:
            points.append(said.pooler_output[0])
        else:
            points.append(torch.tanh(dense(said.last_hidden_state[0, 0])))
    return torch.cosine_similarity(*points, dim=0).item()


def labse(folder, **settings):
    return LabseFilter(LabseSettings(model=str(folder), **settings))


def test_scores_are_cosines_of_the_pooled_output_whatever_the_batch(tiny_bert, pairs):
    texts = [(one.source, one.target) for one in pairs]
    wanted = [by_hand(tiny_bert, one) for one in pairs]
    for batch_size in (1, 3, 64):
        found = labse(tiny_bert, batch_size=batch_size).scores(texts)
        assert found == pytest.approx(wanted, abs=1e-5)


def test_a_text_is_most_like_itself(tiny_bert):
    one = labse(tiny_bert)
    same, other = one.scores([("A red ball.", "A red ball."), ("A red ball.", "Nothing.")])
    assert same == pytest.approx(1, abs=1e-5) and other < 0.999


def test_the_dense_layer_of_sentence_transformers_is_used(tiny_bert, pairs, tmp_path):
    import shutil

    folder = tmp_path / "labse"
    shutil.copytree(tiny_bert, folder)
    torch.manual_seed(5)
    dense = torch.nn.Linear(32, 32)
    (folder / "2_Dense").mkdir()
    weights = {f"linear.{name}": value.clone() for name, value in dense.state_dict().items()}
    save_file(weights, folder / "2_Dense" / "model.safetensors")
    found = labse(folder).scores([(pairs[0].source, pairs[0].target)])
    assert found == pytest.approx([by_hand(folder, pairs[0], dense)], abs=1e-5)


def test_below_the_limit_is_review_and_above_it_nothing(tiny_bert, pairs):
    low, high = sorted(by_hand(tiny_bert, one) for one in pairs)
    found = labse(tiny_bert, min_similarity=(low + high) / 2).judge(pairs, "ur")
    assert sorted(one.verdict if one else "" for one in found) == ["", Verdict.REVIEW]
    (said,) = filter(None, found)
    assert said.score == pytest.approx(low, abs=1e-5)


def test_pairs_without_words_and_pairs_a_person_judged_are_not_asked_about(tiny_bert):
    verified = TurnPair("One.", "ایک۔", status=TurnStatus.VERIFIED)
    asked = [TurnPair("<image>", "<image>"), TurnPair("One.", ""), verified]
    assert labse(tiny_bert, min_similarity=1).judge(asked, "ur") == [None, None, None]


def test_a_model_that_is_not_here_says_how_to_get_it(pairs):
    with pytest.raises(MissingResource, match="hf download no/such-model --revision abc"):
        LabseFilter(LabseSettings(model="no/such-model", revision="abc")).judge(pairs, "ur")
