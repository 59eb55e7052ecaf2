import dataclasses

import pytest

from palo import schemas
from palo.errors import MissingResource, UserError
from palo.languages import LANGUAGES
from palo.paths import DataPaths
from palo.schemas import Verdict
from palo.settings.refine import ConversationPolicy, RefineSettings
from palo.shards import read_refined, refined_to_row, shard_name, write_json, write_shard
from train.data.mixture import English, epoch_order, open_mixture, read_llava_list

NO_MIX = English(None, None)
DROP = RefineSettings()


def cache_files(paths):
    return sorted(path.name for path in (paths.root / "mixture").glob("*.arrow"))


def test_the_mixture_holds_every_kept_row_of_ten_languages(profile):
    paths = DataPaths(profile.data_dir)
    mixture = open_mixture(paths, profile.source.images_dir, NO_MIX, DROP)
    rows = len(read_refined(paths.refined("ur") / shard_name(0)))
    assert mixture.counts == {str(lang): rows for lang in LANGUAGES}
    assert len(mixture) == 10 * rows
    urdu = [mixture[index] for index in range(len(mixture)) if mixture[index].lang == "ur"]
    refined = read_refined(paths.refined("ur") / shard_name(0))
    assert [one.turns for one in urdu] == [one.sample.target for one in refined]
    assert urdu[0].image == profile.source.images_dir / refined[0].sample.image


def test_rows_that_were_not_kept_stay_out(profile):
    paths = DataPaths(profile.data_dir)
    path = paths.refined("ur") / shard_name(0)
    rows = [refined_to_row(one) for one in read_refined(path)]
    rows[0]["kept"] = False
    write_shard(path, rows, schemas.REFINED, {}, {})
    mixture = open_mixture(paths, profile.source.images_dir, NO_MIX, DROP)
    assert mixture.counts["ur"] == len(rows) - 1
    assert mixture.counts["fr"] == len(rows)


def test_a_conversation_is_cut_before_its_first_bad_round_where_the_policy_says_so(profile):
    paths = DataPaths(profile.data_dir)
    path = paths.refined("ur") / shard_name(0)
    rows = [refined_to_row(one) for one in read_refined(path)]
    long = next(row for row in rows if len(row["target"]) >= 4)
    long["turn_verdicts"][3] = str(Verdict.REJECT)
    write_shard(path, rows, schemas.REFINED, {}, {})
    images = profile.source.images_dir
    cut = RefineSettings(policy=ConversationPolicy.CUT)

    def turns_of_long(policy):
        mixture = open_mixture(paths, images, NO_MIX, policy)
        found = [mixture[index] for index in range(len(mixture))]
        return [
            len(one.turns)
            for one in found
            if (one.sample_id, one.lang) == (long["sample_id"], "ur")
        ]

    assert turns_of_long(cut) == [2]
    whole = RefineSettings(policy=ConversationPolicy.WHOLE)
    assert turns_of_long(whole) == [len(long["target"])]


def test_the_cache_is_reused_and_rebuilt_when_a_shard_changes(profile):
    paths = DataPaths(profile.data_dir)
    open_mixture(paths, profile.source.images_dir, NO_MIX, DROP)
    first = cache_files(paths)
    open_mixture(paths, profile.source.images_dir, NO_MIX, DROP)
    assert cache_files(paths) == first
    path = paths.refined("ur") / shard_name(0)
    refined = read_refined(path)[1:]
    write_shard(path, [refined_to_row(one) for one in refined], schemas.REFINED, {}, {})
    open_mixture(paths, profile.source.images_dir, NO_MIX, DROP)
    assert len(cache_files(paths)) == 1
    assert cache_files(paths) != first


def test_a_deleted_cache_comes_back_byte_for_byte(profile):
    paths = DataPaths(profile.data_dir)
    open_mixture(paths, profile.source.images_dir, NO_MIX, DROP)
    (cache,) = (paths.root / "mixture").glob("*.arrow")
    before = cache.read_bytes()
    cache.unlink()
    open_mixture(paths, profile.source.images_dir, NO_MIX, DROP)
    assert cache.read_bytes() == before


def test_a_larger_english_list_takes_the_place_of_the_source_shards(profile, tmp_path):
    turns = [{"from": "human", "value": "Who?"}, {"from": "gpt", "value": "A man."}]
    rows = [
        {"id": 7, "conversations": turns},
        {"id": "b", "image": "coco/b.jpg", "conversations": turns},
    ]
    write_json(tmp_path / "mix.json", rows)
    english = English(tmp_path / "mix.json", tmp_path / "images")
    mixture = open_mixture(DataPaths(profile.data_dir), profile.source.images_dir, english, DROP)
    assert mixture.counts["en"] == 2
    assert (mixture[0].sample_id, mixture[0].image) == ("7", None)
    assert mixture[1].image == tmp_path / "images" / "coco" / "b.jpg"


def test_an_empty_mixture_is_refused(tmp_path):
    with pytest.raises(MissingResource, match="No conversation was kept"):
        open_mixture(DataPaths(tmp_path), None, NO_MIX, DROP)


@pytest.mark.parametrize(("count", "batch"), [(103, 4), (7, 8), (400, 4)])
def test_an_epoch_visits_every_sample_once(count, batch):
    lengths = [(index * 37) % 50 for index in range(count)]
    assert sorted(epoch_order(lengths, batch, 1, 0)) == list(range(count))


def test_the_order_is_a_pure_function_of_seed_and_epoch():
    lengths = [(index * 37) % 50 for index in range(100)]
    assert epoch_order(lengths, 4, 1, 0) == epoch_order(lengths, 4, 1, 0)
    assert epoch_order(lengths, 4, 1, 0) != epoch_order(lengths, 4, 1, 1)
    assert epoch_order(lengths, 4, 1, 0) != epoch_order(lengths, 4, 2, 0)


def test_batches_hold_samples_of_like_length():
    lengths = [(index * 37) % 100 for index in range(200)]
    order = epoch_order(lengths, 4, 1, 0)
    batches = [[lengths[i] for i in order[at : at + 4]] for at in range(0, 200, 4)]
    assert max(max(batch) - min(batch) for batch in batches) <= 2
    assert batches != sorted(batches)


def test_examples_are_frozen(profile):
    mixture = open_mixture(DataPaths(profile.data_dir), None, NO_MIX, DROP)
    with pytest.raises(dataclasses.FrozenInstanceError):
        mixture[0].lang = "fr"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[{"id": 1, "conversations": []}, {"id"', "breaks off after sample 1"),
        ('[{"id": 1}]', "Sample 1 of .* has no LLaVA form: KeyError"),
        ('[{"id": 1, "conversations": [{"from": "cat", "value": "x"}]}]', "'cat' is not a valid"),
    ],
)
def test_a_broken_list_says_where_it_breaks(tmp_path, text, said):
    path = tmp_path / "mix.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=said):
        list(read_llava_list(path, None))
