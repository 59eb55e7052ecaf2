"""A dataset's card: metadata that the Hub's own classes read, numbers that are the shards'."""

import re
import shutil

import pytest
import yaml
from datasets.utils.metadata import MetadataConfigs
from huggingface_hub import DatasetCard

from data_cards.card_format import problems
from data_cards.cards import dataset_card
from data_cards.provenance import read_provenance
from data_cards.release import MIXTURE, parse_release
from palo.errors import MissingResource, UserError
from palo.files import write_json
from palo.schemas import REFINED, Verdict
from palo.settings import MixtureWeights, ModelFilterSettings
from palo.shards import read_refined, shard_name, shard_paths, write_shard


def card_of(profile, what="ur"):
    return dataset_card(profile, parse_release(what, profile.paths))


def table_after(text, heading):
    """The first table below a heading: rows by their first cell."""
    part = text[text.index(f"\n{heading}\n") :]
    lines = re.search(r"(?:^\|.*\|\n)+", part, re.MULTILINE)[0].strip().split("\n")
    rows = [[one.strip() for one in line.strip("|").split(" | ")] for line in lines]
    return {row[0]: dict(zip(rows[0][1:], row[1:], strict=True)) for row in rows[2:]}


def test_the_hubs_own_classes_read_the_metadata_and_write_them_back(profile, tmp_path):
    path = tmp_path / "README.md"
    path.write_text(card_of(profile), encoding="utf-8")
    card = DatasetCard.load(path)
    assert str(card) == path.read_text(encoding="utf-8")
    assert (card.data.language, card.data.license) == (["ur"], "apache-2.0")
    assert card.data.size_categories == ["n<1K"]
    assert problems(yaml.safe_load(card.data.to_yaml())) == []
    assert MetadataConfigs.from_dataset_card_data(card.data).get_default_config_name() == "ur"


def test_counts_are_those_of_the_shards(profile):
    paths, text = profile.paths, card_of(profile)
    rows = [one for path in shard_paths(paths.refined("ur")) for one in read_refined(path)]
    used = [profile.refine.kept_turns(one.turn_verdicts) if one.kept else 0 for one in rows]
    found = table_after(text, "## Numbers at each stage")["ur Urdu"]
    assert found == {
        "source": str(len(rows)),
        "translated": str(len(rows)),
        "kept whole": str(sum(n == len(r.turn_verdicts) for n, r in zip(used, rows, strict=True))),
        "cut": str(sum(0 < n < len(r.turn_verdicts) for n, r in zip(used, rows, strict=True))),
        "left out": str(used.count(0)),
        "with picture": str(
            sum(bool(n and r.sample.image) for n, r in zip(used, rows, strict=True))
        ),
    }
    assert (found["kept whole"], found["cut"], found["left out"]) == ("2", "1", "1")
    verdicts = [verdict for row in rows for verdict in row.turn_verdicts]
    rejected = verdicts.count(Verdict.REJECT)
    line = next(line for line in text.split("\n") if line.startswith("| ur Urdu | 10 "))
    assert (
        line == f"| ur Urdu | 10 | 8 | 0 | 0 | 2 | {verdicts.count('pass')} | 0 | 0 | {rejected} |"
    )
    assert table_after(text, "## Filters")["`empty`"]["ur"] == "2"


def test_thresholds_come_with_their_sources(profile):
    text = card_of(profile)
    assert "| `length_ratio` | 0.66–1.58 | target/source characters, 0.5% to 99.5% of 1,004" in text
    assert table_after(text, "## Languages and lengths")["ur Urdu"]["turns asked"] == "10"
    assert "usual band" in text and "█" in text


def test_limits_are_told_from_figures(profile, audited):
    text = card_of(profile)
    assert "- Urdu: 2 of 10 turns failed every attempt to translate.\n" in text
    assert "- Urdu: conversations left out: 1, cut: 1. Turns that were flagged" in text
    assert "- Urdu: no turn that passed the filters has been audited" in text
    assert "- 2 samples of the source were malformed and are missing.\n" in text
    audited("ur", 4, 132, "failed")
    text = card_of(profile)
    assert (
        "- Urdu: **fails the acceptance plan** of 3 in 132 errors: 4 of 132 audited turns were "
        "wrong (1.0–12.5% of all that passed).\n" in text
    )
    assert "| ur Urdu | scripted scripted 0123456789abcdef | 132 | 4 | 1.0–12.5% | failed |" in text


def test_reviews_are_told_with_wilsons_interval(profile):
    path = profile.data_dir / "refine-report.json"
    report = yaml.safe_load(path.read_text(encoding="utf-8"))
    one = {"name": "batch-0001", "kind": "flagged", "translator": "x", "decided": 300}
    report["languages"]["ur"]["rounds"] = [{**one, "edited": 6, "edit_rate": 0.02, "chrf": None}]
    write_json(path, report)
    told = "| ur Urdu | batch-0001 | flagged | 300 | 6 | 2.0% (0.9–4.3%) | not measured |"
    assert told in card_of(profile)


def test_what_no_stage_measured_is_said_to_be_missing(profile):
    (profile.data_dir / "refine-report.json").unlink()
    text = card_of(profile)
    assert "No audit is recorded, so the error rate of what passed is unknown." in text
    assert "Their thresholds were not recorded: run `palo refine report`." in text
    assert "not measured (`palo refine report`)" in text
    assert table_after(text, "## Languages and lengths")["ur Urdu"]["turns asked"] == "not measured"


def test_a_report_of_other_shards_is_said_to_be_older(profile):
    folder = profile.paths.refined("ur")
    write_shard(folder / shard_name(1), [], REFINED, {}, {"samples": 0})
    assert "were measured on earlier shards than these" in card_of(profile)


def test_rows_that_are_translated_and_not_refined_have_a_card_that_says_so(profile):
    shutil.rmtree(profile.paths.refined("ur"))
    text = card_of(profile)
    found = table_after(text, "## Numbers at each stage")["ur Urdu"]
    assert (found["translated"], found["kept whole"]) == ("4", "not measured")
    assert "nothing has been filtered, so nothing can be trained on" in text


def test_hostile_texts_stay_within_their_cells(profile):
    text = card_of(profile)
    (english,) = [line for line in text.split("\n") if "it has" in line]
    assert english.count(" | ") == 2 and "<b>" not in english and "`" not in english
    assert "&#60;b&#62;نہیں" in english and "<br>" in english
    assert len(re.findall(r"^## ", text, re.MULTILINE)) == 10


def test_the_mixture_tells_its_weights_and_its_english(profile):
    text = card_of(profile, MIXTURE)
    card = DatasetCard(text)
    assert card.data.language == ["en", "fr", "ur"]
    assert card.data.multilinguality == ["multilingual"]
    assert "| en English | 4 |  | 4 |  |  |  |" in text
    assert "So is it in an epoch" in text
    weights = MixtureWeights(weights={"ur": 2})
    train = profile.train.model_copy(update={"mixture": weights})
    weighed = card_of(profile.model_copy(update={"train": train}), MIXTURE)
    assert "with these weights: ur 2; all others with weight 1" in weighed


def test_the_translators_fine_tune_is_shown_where_there_was_one(profile):
    assert "## Translator" not in card_of(profile)
    row = {"pairs": 90, "held_out": 10, "chrf_before": 70.0, "chrf_after": 91.25}
    report = {"languages": {"ur": row}, "chrf_signature": "nrefs:1|v"}
    write_json(profile.paths.translator_report, report)
    text = card_of(profile)
    assert "| ur Urdu | 90 | 10 | 70.0 | 91.2 | not measured | not measured |" in text
    assert "(`nrefs:1|v`)" in text


def test_the_licence_chain_names_translator_and_models_that_filters_asked(profile):
    models = ModelFilterSettings.model_validate({"labse": {}})
    refine = profile.refine.model_copy(update={"models": models})
    text = card_of(profile.model_copy(update={"refine": refine}))
    assert "| translator | translator | made on the spot |  |" in text
    assert "| filter | labse asks sentence-transformers/LaBSE | Apache-2.0 " in text
    assert "labse" not in card_of(profile)


def test_the_real_profile_has_the_chain_of_its_parts(profile):
    real = profile.model_copy(update={"name": "palo", "world": None})
    text = card_of(real)
    data = DatasetCard(text).data
    assert (data.license, data["license_link"]) == ("other", "LICENSE.md")
    assert data.source_datasets == ["liuhaotian/LLaVA-Instruct-150K"]
    for word in ("CC BY 4.0", "https://openai.com/policies/terms-of-use", "COCO"):
        assert word in text
    unknown = card_of(profile.model_copy(update={"name": "mine", "world": None}))
    assert DatasetCard(unknown).data.license == "unknown"
    assert "nobody has written down the terms of profile mine" in unknown


def test_the_same_data_give_the_same_bytes_and_no_place_of_this_machine(profile, tmp_path):
    assert card_of(profile) == card_of(profile)
    assert str(tmp_path) not in card_of(profile) + card_of(profile, MIXTURE)


def test_the_card_records_what_it_was_made_from(profile):
    told = read_provenance(card_of(profile))
    assert (told.profile, told.kind, told.what, told.langs) == ("sample", "dataset", "ur", ("ur",))
    assert told.about["translators"]["ur"]["prompt_version"] == "p1.2"
    assert read_provenance("# no card\n") is None
    assert read_provenance("## Provenance\n```json\n[]\n```\n") is None


def test_without_translations_there_is_no_card(bare):
    with pytest.raises(MissingResource, match="palo translate --lang ur"):
        card_of(bare)
    with pytest.raises(UserError, match="palo translate --lang all"):
        card_of(bare, MIXTURE)
