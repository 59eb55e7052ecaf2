import dataclasses
import pickle

import numpy as np
import pytest

from palo import schemas
from palo.errors import MissingResource, UserError
from palo.files import write_json
from palo.languages import LANGUAGES
from palo.paths import DataPaths
from palo.schemas import Role, Turn, Verdict
from palo.settings import (
    ConversationPolicy,
    Profile,
    RefineSettings,
    SourceSettings,
    TrainSettings,
)
from palo.shards import read_refined, shard_name, to_row, write_shard
from train.data import mixture as mixture_module
from train.data.mixture import Mixture, llava_rows

NO_MIX = (None, None)
DROP = RefineSettings()


def profile_at(root, images_dir=None, policy=DROP, **train):
    return Profile.model_construct(
        data_dir=root,
        source=SourceSettings(path=root, images_dir=images_dir),
        refine=policy,
        train=TrainSettings.model_construct(**train),
    )


def open_mixture(paths, images_dir, english, policy):
    path, folder = english
    mix = {"english_mix_path": path, "english_mix_images_dir": folder}
    return mixture_module.open_mixture(profile_at(paths.root, images_dir, policy, **mix))


def open_captions(path, images_dir, root):
    given = {"captions_path": path, "captions_images_dir": images_dir}
    return mixture_module.open_captions(profile_at(root, **given))


def cache_files(paths):
    return sorted(path.name for path in (paths.root / "mixture").glob("*.arrow"))


def test_the_mixture_holds_every_kept_row_of_ten_languages(profile):
    paths = profile.paths
    mixture = open_mixture(paths, profile.source.images_dir, NO_MIX, DROP)
    rows = len(read_refined(paths.refined("ur") / shard_name(0)))
    assert mixture.counts == {str(lang): rows for lang in LANGUAGES}
    assert len(mixture) == 10 * rows
    urdu = [mixture[index] for index in range(len(mixture)) if mixture[index].lang == "ur"]
    refined = read_refined(paths.refined("ur") / shard_name(0))
    assert [one.turns for one in urdu] == [one.sample.target for one in refined]
    assert urdu[0].image == profile.source.images_dir / refined[0].sample.image


def test_rows_that_were_not_kept_stay_out(profile):
    paths = profile.paths
    path = paths.refined("ur") / shard_name(0)
    rows = [to_row(one) for one in read_refined(path)]
    rows[0]["kept"] = False
    write_shard(path, rows, schemas.REFINED, {}, {})
    mixture = open_mixture(paths, profile.source.images_dir, NO_MIX, DROP)
    assert mixture.counts["ur"] == len(rows) - 1
    assert mixture.counts["fr"] == len(rows)


def test_a_conversation_is_cut_before_its_first_bad_round_where_the_policy_says_so(profile):
    paths = profile.paths
    path = paths.refined("ur") / shard_name(0)
    rows = [to_row(one) for one in read_refined(path)]
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
    paths = profile.paths
    open_mixture(paths, profile.source.images_dir, NO_MIX, DROP)
    first = cache_files(paths)
    open_mixture(paths, profile.source.images_dir, NO_MIX, DROP)
    assert cache_files(paths) == first
    path = paths.refined("ur") / shard_name(0)
    refined = read_refined(path)[1:]
    write_shard(path, [to_row(one) for one in refined], schemas.REFINED, {}, {})
    open_mixture(paths, profile.source.images_dir, NO_MIX, DROP)
    assert len(cache_files(paths)) == 1
    assert cache_files(paths) != first


def test_a_deleted_cache_comes_back_byte_for_byte(profile):
    paths = profile.paths
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
    english = (tmp_path / "mix.json", tmp_path / "images")
    mixture = open_mixture(profile.paths, profile.source.images_dir, english, DROP)
    assert mixture.counts["en"] == 2
    assert (mixture[0].sample_id, mixture[0].image) == ("7", None)
    assert mixture[1].image == tmp_path / "images" / "coco" / "b.jpg"


def test_an_english_list_changed_in_place_is_read_again_though_its_size_stays(profile, tmp_path):
    turns = [{"from": "human", "value": "Who?"}, {"from": "gpt", "value": "A man."}]
    path, paths = tmp_path / "mix.json", profile.paths
    english = (path, tmp_path)
    for sample_id in ("first", "other"):
        write_json(path, [{"id": sample_id, "conversations": turns}])
        assert open_mixture(paths, None, english, DROP)[0].sample_id == sample_id


def test_other_folders_of_images_make_another_cache_of_the_same_conversations(profile, tmp_path):
    paths = profile.paths
    open_mixture(paths, profile.source.images_dir, NO_MIX, DROP)
    mixture = open_mixture(paths, tmp_path / "moved", NO_MIX, DROP)
    images = [one.image for one in map(mixture.__getitem__, range(len(mixture))) if one.image]
    assert images
    assert all(image.is_relative_to(tmp_path / "moved") for image in images)


def test_an_empty_mixture_is_refused(tmp_path):
    with pytest.raises(MissingResource, match="No conversation was kept"):
        open_mixture(DataPaths(tmp_path), None, NO_MIX, DROP)


def test_examples_are_frozen(profile):
    mixture = open_mixture(profile.paths, None, NO_MIX, DROP)
    with pytest.raises(dataclasses.FrozenInstanceError):
        mixture[0].lang = "fr"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[{"id": 1, "conversations": []}, {"id"', "breaks off after sample 1"),
        ('[{"id": 1}]', "Sample 1 of .* has no LLaVA form: KeyError"),
        ('[{"id": 1, "conversations": [{"from": "cat", "value": "x"}]}]', "'cat' is not a valid"),
        ('[{"id": 1, "conversations": [{"from": "gpt", "value": 3}]}]', "has no LLaVA form"),
        ('[{"id": 1, "image": ["a"], "conversations": []}]', "has no LLaVA form"),
        ('[{"id": 1, "conversations": [{"from": "gpt", "value": "\\ud800"}]}]', "half of a surrog"),
    ],
)
def test_a_broken_list_says_where_it_breaks(tmp_path, text, said):
    path = tmp_path / "mix.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=said):
        list(llava_rows(path))


SAID = {
    "en": ("Who?", "A man."),
    "hi": ("कौन है?", "एक आदमी।"),
    "bn": ("কে?", "একজন মানুষ।"),
    "ur": ("کون ہے؟", "ایک آدمی۔"),
    "ja": ("誰ですか？", "男の人です。"),
    "odd": ("line\u2028\r\n\x00", "🙂" * 3),
}


def llava(number, said, image=None, roles=("human", "gpt")):
    turns = [{"from": role, "value": text} for role, text in zip(roles, said, strict=True)]
    return {"id": number, "conversations": turns} | ({"image": image} if image else {})


def captions_of(tmp_path, rows, images_dir=None):
    write_json(tmp_path / "captions.json", rows)
    return open_captions(tmp_path / "captions.json", images_dir, tmp_path)


def test_captions_are_a_cache_of_the_same_kind(tmp_path):
    rows = [llava(lang, said, f"{lang}.jpg") for lang, said in SAID.items()]
    captions = captions_of(tmp_path, rows, tmp_path / "images")
    assert isinstance(captions, Mixture)
    assert (captions.counts, captions.languages) == ({"en": 6}, ("en",))
    for index, (lang, said) in enumerate(SAID.items()):
        assert captions[index].sample_id == lang
        assert captions[index].image == tmp_path / "images" / f"{lang}.jpg"
        assert [turn.text for turn in captions[index].turns] == [*said]
    first = captions.path
    assert captions_of(tmp_path, rows, tmp_path / "images").path == first
    rows[0]["conversations"][1]["value"] = "A man!"  # as long as before
    second = captions_of(tmp_path, rows, tmp_path / "images").path
    assert second != first
    assert [path.name for path in (tmp_path / "mixture").glob("*.arrow")] == [second.name]
    with pytest.raises(MissingResource, match="no caption"):
        captions_of(tmp_path, [])


def test_captions_and_mixture_share_a_folder(profile):
    paths = profile.paths
    mixture = open_mixture(paths, profile.source.images_dir, NO_MIX, DROP)
    captions = open_captions(profile.train.captions_path, None, profile.data_dir)
    assert mixture.path.is_file() and captions.path.is_file()


def test_rows_over_many_batches_are_found_by_their_index(tmp_path, monkeypatch):
    monkeypatch.setattr(mixture_module, "BATCH_ROWS", 7)
    monkeypatch.setattr(mixture_module, "BATCH_CHARS", 40)
    rows = [llava(number, ("Q?" * (number % 9 + 1), f"{number}")) for number in range(100)]
    captions = captions_of(tmp_path, rows)
    assert captions._columns[0].num_chunks > 14
    order = np.random.RandomState(1).permutation(100)
    assert [captions[index].turns[1].text for index in order] == [str(index) for index in order]
    for index in (100, -1):
        with pytest.raises(IndexError):
            captions[index]


def test_codes_name_the_language_of_every_row(profile):
    mixture = open_mixture(profile.paths, None, NO_MIX, DROP)
    assert mixture.languages == tuple(LANGUAGES)
    assert mixture.langs.dtype == np.uint8
    named = [mixture.languages[code] for code in mixture.langs]
    assert named == [mixture[index].lang for index in range(len(mixture))]
    assert mixture.has_image().tolist() == [
        mixture[index].image is not None for index in range(len(mixture))
    ]


def test_roles_stay_as_they_are_even_where_they_do_not_alternate(tmp_path):
    captions = captions_of(tmp_path, [llava(1, "abc", roles=("gpt", "gpt", "human"))])
    said = (Turn(Role.GPT, "a"), Turn(Role.GPT, "b"), Turn(Role.HUMAN, "c"))
    assert captions[0].turns == said


@pytest.mark.parametrize("name", ["../a.jpg", "/etc/passwd", "coco/../../a.jpg"])
def test_an_image_name_that_leads_out_gets_no_path_and_says_why(tmp_path, name):
    rows = [llava("bad", SAID["en"], name), llava("good", SAID["en"], "coco/a.jpg")]
    bad, good = captions_of(tmp_path, rows, tmp_path / "images")
    assert (bad.image, good.image) == (None, tmp_path / "images/coco/a.jpg")
    assert bad.refused == f"image name {name!r} leads out of the images' folder"
    assert good.refused == ""


def test_a_mixture_pickles_as_its_path(profile):
    mixture = open_mixture(profile.paths, None, NO_MIX, DROP)
    data = pickle.dumps(mixture)
    assert len(data) < 500
    again = pickle.loads(data)
    assert [again[index] for index in range(20)] == [mixture[index] for index in range(20)]


def test_a_damaged_cache_is_built_again(profile):
    paths = profile.paths
    path = open_mixture(paths, None, NO_MIX, DROP).path
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    open_mixture(paths, None, NO_MIX, DROP)
    assert path.read_bytes() == whole


def test_what_was_derived_from_an_old_cache_goes_with_it(profile):
    paths = profile.paths
    path = open_mixture(paths, None, NO_MIX, DROP).path
    derived = path.with_name(f"{path.stem}-lengths.npy")
    derived.write_bytes(b"")
    open_mixture(paths, None, NO_MIX, DROP)
    assert derived.is_file()
    open_mixture(paths, profile.source.images_dir, NO_MIX, DROP)
    assert not derived.exists()


def test_a_row_kept_under_another_policy_comes_without_its_bad_rounds_or_not_at_all(profile):
    paths = profile.paths
    path = paths.refined("ur") / shard_name(0)
    rows = [to_row(one) for one in read_refined(path)]
    rows[0]["turn_verdicts"][1] = str(Verdict.REJECT)
    write_shard(path, rows, schemas.REFINED, {}, {})
    cut = RefineSettings(policy=ConversationPolicy.CUT)
    assert open_mixture(paths, None, NO_MIX, cut).counts["ur"] == len(rows) - 1
