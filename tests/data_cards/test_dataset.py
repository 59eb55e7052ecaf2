"""The dataset card: counts, languages, the translator and its licence, as the Hub reads it."""

import pytest
from huggingface_hub import DatasetCard

from data_cards.dataset import render, write
from palo.errors import UserError
from palo.paths import DataPaths
from palo.schemas import TRANSLATED
from palo.settings import load_profile
from palo.settings.refine_models import ModelFilterSettings
from palo.shards import shard_name, write_json, write_shard


@pytest.fixture
def profile(project):
    """The sample profile with two Urdu samples translated and judged."""
    settings = load_profile("sample")
    paths = DataPaths(settings.data_dir)
    write_shard(paths.translated("ur") / shard_name(0), [], TRANSLATED, {}, {"samples": 2})
    counts = {"kept": 1, "flagged": 1, "reviewed": 3}
    write_json(paths.refined("ur") / "manifest.json", counts)
    return settings


def test_the_card_names_languages_counts_translator_and_licence(profile):
    card = DatasetCard(render(profile))
    assert card.data.language == ["ur"]
    assert "| ur | 2 | 1 | 1 | 3 |" in card.text
    assert "`translator` (licence: made on the spot)" in card.text
    assert "## Translator" not in card.text  # no fine-tune has been run


def test_the_card_shows_the_fine_tune_where_there_was_one(profile):
    row = {"pairs": 90, "held_out": 10, "chrf_before": 70.0, "chrf_after": 91.25}
    report = {"languages": {"ur": row}, "chrf_signature": "nrefs:1|v"}
    write_json(DataPaths(profile.data_dir).translator_report, report)
    text = render(profile)
    assert "| ur | 90 | 10 | 70.0 | 91.2 |" in text
    assert "(nrefs:1|v)" in text


def test_without_translations_there_is_no_card(project):
    with pytest.raises(UserError, match="palo translate --lang all"):
        render(load_profile("sample"))


def test_the_card_is_written_under_the_profiles_name(profile, tmp_path):
    path = write(profile, tmp_path / "cards")
    assert path == tmp_path / "cards" / "sample.md"
    assert path.read_text(encoding="utf-8") == render(profile)


def test_the_card_names_the_models_that_filters_asked(profile):
    models = ModelFilterSettings.model_validate({"labse": {}})
    refine = profile.refine.model_copy(update={"models": models})
    text = render(profile.model_copy(update={"refine": refine}))
    assert f"Model filter labse asks {models.labse.model}: {models.labse.licence}." in text
    assert "Model filter" not in render(profile)
