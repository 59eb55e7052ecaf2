"""A checkpoint's card: metadata that the Hub's own classes read, figures with intervals."""

import re

import pytest
import yaml
from huggingface_hub import ModelCard

from data_cards.card_format import problems
from data_cards.cards import model_card
from palo.files import write_json


def test_the_hubs_own_classes_read_the_metadata_and_its_results(profile, checkpoint, tmp_path):
    path = tmp_path / "README.md"
    path.write_text(model_card(profile, "7b"), encoding="utf-8")
    card = ModelCard.load(path)
    assert str(card) == path.read_text(encoding="utf-8")
    assert (card.data.pipeline_tag, card.data.library_name) == (
        "image-text-to-text",
        "transformers",
    )
    found = {
        (one.dataset_config, one.metric_type): one.metric_value for one in card.data.eval_results
    }
    assert found[("ur", "accuracy")] == 0.26 and found[("en", "fidelity")] == 0.5
    assert problems(yaml.safe_load(card.data.to_yaml())) == []


def test_training_and_evaluation_are_told_from_their_records(profile, checkpoint):
    text = model_card(profile, "7b")
    assert "| stage2 | 0.0001 | 16 | 1 | 40 | 2.500 | 0.500 | 61 s |" in text
    assert "| stage1 | 0.008 | 16 | 10 | not measured |" in text
    assert "| ur Urdu | 3 | 1 | 0 |" in text
    assert "stage2 1." in text
    assert (
        "| en English | 100 | 90.0% (82.6–94.5%) | 30.0% | 25.0% | not measured | 50.0% |" in text
    )


def test_limits_are_told_from_figures(profile, checkpoint):
    text = model_card(profile, "7b")
    assert "- Urdu: answers are no better than guessing as far as can be told.\n" in text
    assert "- English: answers are no better" not in text
    assert "- Urdu: 50.0% of answers are not in the language of the question.\n" in text
    assert "- Not trained on instructions in Chinese, French, " in text


def test_what_was_not_measured_is_said_to_be_missing(profile, checkpoint):
    profile.paths.evaluation("7b").unlink()
    (checkpoint / "training.json").unlink()
    text = model_card(profile, "7b")
    assert "Not measured: `palo evaluate --scale 7b` has not been run." in text
    assert "This checkpoint carries no log of its training" in text
    assert "- Nothing was measured on held-out questions.\n" in text
    assert "model-index" not in text


def test_scores_on_a_bench_are_told_with_their_signature(profile, checkpoint):
    folder = profile.paths.evaluation("7b").with_suffix("")
    score = {"value": 57.66, "low": 50.0, "high": 65.25, "n": 60}
    row = {"questions": 60, "score": score, "fidelity": 0.9}
    found = {"languages": {"ur": row, "ja": {**row, "score": None}}, "signature": "judge|x"}
    write_json(folder / "bench-01234567.json", {**found, "checkpoint": "abc"})
    text = model_card(profile, "7b")
    assert "| ur Urdu | 60 | 57.7 (50.0–65.2) | 90.0% |" in text
    assert "| ja Japanese | 60 | not measured | 90.0% |" in text
    assert "judge&#124;x" in text and '"bench-01234567": "' in text


@pytest.mark.parametrize("scale", ["1.7b", "7b", "13b"])
def test_every_scale_of_the_real_profile_names_its_bases_and_their_terms(profile, project, scale):
    from palo.settings import load_profile

    real = load_profile("palo")
    write_json(real.paths.checkpoint(scale) / "config.json", {"model_type": "llava"})
    text = model_card(real, scale)
    data = ModelCard(text).data
    assert len(data.base_model) == 2 and "openai/clip-vit-large-patch14-336" in data.base_model
    assert data.license == "other"
    assert ("Llama 2 Community License" in text) == (scale != "1.7b")
    for word in ("CC BY 4.0", "Conceptual Captions", "MIT (openai/CLIP)", "Hy-MT2-7B"):
        assert word in text


def test_the_card_names_no_place_of_this_machine(profile, checkpoint, tmp_path):
    assert str(tmp_path) not in model_card(profile, "7b")


@pytest.mark.slow
@pytest.mark.parametrize("scale", ["7b", "1.7b"])
def test_the_cards_program_loads_a_checkpoint(profile, scale, monkeypatch):
    from tests.train.conftest import make_model, make_scale, make_tokenizer
    from train.data.images import make_processor
    from train.model.checkpoint import save_checkpoint

    folder, tokenizer = profile.paths.checkpoint(scale), make_tokenizer()
    model = make_model(make_scale(scale), tokenizer)
    save_checkpoint(folder, model, tokenizer, make_processor(64))
    program = re.search(
        r"^```python\n(.*?)^```$", model_card(profile, scale), re.MULTILINE | re.DOTALL
    )
    monkeypatch.chdir(folder)
    names = {}
    exec(program[1], names)
    assert names["model"].config.model_type == model.config.model_type
    if scale == "7b":
        assert type(names["processor"].image_processor).__name__.endswith("Pil")
