"""Exports: LLaVA's JSON field for field, Parquet and a hub folder that `datasets` loads."""

import json
import os
import re
from pathlib import Path

import pytest
import yaml
from datasets import load_dataset

from data_cards import export as exporting
from data_cards.export import MARK
from palo.errors import MissingResource, UserError
from palo.settings import load_profile

GOLDEN = Path(__file__).parents[1] / "golden" / "llava_export_ur.json"


@pytest.fixture
def loaded(tmp_path):
    """load_dataset with a cache of the test's own, as it would load from a folder."""

    def load(*words, **options):
        return load_dataset(*words, cache_dir=str(tmp_path / "cache"), **options)

    return load


def exported(palo, tmp_path, form, lang):
    assert (
        palo("export", "--format", form, "--lang", lang, "--out", str(tmp_path / "out")).exit_code
        == 0
    )
    return tmp_path / "out"


def test_the_json_is_the_expected_file(profile, palo, tmp_path):
    folder = exported(palo, tmp_path, "llava-json", "ur")
    found = json.loads((folder / "ur.json").read_text(encoding="ascii"))
    assert found == json.loads(GOLDEN.read_text(encoding="utf-8"))
    assert sorted(path.name for path in folder.iterdir()) == [MARK, "ur.json"]


def as_the_published_trainers_read(path):
    """What LazySupervisedDataset of LLaVA and PALO takes of each sample, and no more."""
    samples = json.load(open(path))  # noqa: PTH123, SIM115 - as they do
    read = []
    for sample in samples:
        text_tokens = sum(len(turn["value"].split()) for turn in sample["conversations"])
        length = text_tokens + (128 if "image" in sample else 0)
        modality = text_tokens if "image" in sample else -text_tokens
        file = os.path.join("images", sample["image"]) if "image" in sample else None  # noqa: PTH118
        roles = {"human": "USER", "gpt": "ASSISTANT"}
        turns = sample["conversations"]
        if roles[turns[0]["from"]] != "USER":
            turns = turns[1:]
        said = []
        for at, turn in enumerate(turns):
            assert roles[turn["from"]] == ("USER", "ASSISTANT")[at % 2]
            value = turn["value"]
            if "image" in sample and "<image>" in value:
                value = "<image>\n" + value.replace("<image>", "").strip()
            said.append(value)
        read.append((length, modality, file, said))
    return read


def test_published_trainers_read_it_field_for_field(profile, palo, tmp_path, monkeypatch):
    monkeypatch.setenv("LC_ALL", "C")
    first, text_only, cut = as_the_published_trainers_read(
        exported(palo, tmp_path, "llava-json", "ur") / "ur.json"
    )
    assert first == (9 + 128, 9, "images/a.jpg", ["<image>\nدائرہ کس رنگ کا ہے؟", "دائرہ سرخ ہے۔"])
    assert text_only[1] < 0 and text_only[2] is None
    assert len(cut[3]) == 2  # the round that the policy cuts is not there


def test_parquet_has_a_language_and_typed_turns(profile, palo, tmp_path, loaded):
    folder = exported(palo, tmp_path, "parquet", "ur,fr")
    files = sorted(map(str, folder.rglob("*.parquet")))
    assert [Path(one).name for one in files] == ["train-00000-of-00001.parquet"] * 2
    rows = loaded("parquet", data_files=files, split="train")
    assert rows.column_names == ["id", "sample_id", "language", "image", "conversations"]
    assert sorted(rows["language"]) == ["fr"] * 4 + ["ur"] * 3
    urdu = [row for row in rows if row["language"] == "ur"]
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    assert [row["conversations"] for row in urdu] == [one["conversations"] for one in golden]
    assert [row["image"] for row in urdu] == [one.get("image") for one in golden]
    assert len({row["sample_id"] for row in urdu}) == 3


def test_the_hub_folder_loads_by_language_and_as_its_card_says(
    profile, palo, tmp_path, loaded, monkeypatch
):
    folder = exported(palo, tmp_path, "hub", "mixture")
    assert sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*")) == [
        ".gitattributes", MARK, "LICENSE.md", "README.md", "data",
        *(name for lang in ("en", "fr", "ur")
          for name in (f"data/{lang}", f"data/{lang}/train-00000-of-00001.parquet")),
    ]  # fmt: skip
    assert loaded(str(folder), "ur", split="train").num_rows == 3
    assert loaded(str(folder), "en", split="train").num_rows == 4
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    text = (folder / "README.md").read_text(encoding="utf-8")
    names = {}
    exec(re.search(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)[1], names)
    assert names["rows"].num_rows == 4


def test_a_folder_for_the_hub_names_no_place_of_this_machine(profile, palo, tmp_path):
    folder = exported(palo, tmp_path, "hub", "all")
    for path in folder.rglob("*"):
        assert path.is_dir() or str(tmp_path).encode() not in path.read_bytes()


def test_large_exports_are_cut_into_shards_that_know_their_number(
    profile, palo, tmp_path, loaded, monkeypatch
):
    monkeypatch.setattr(exporting, "SHARD_CHARS", 1)
    monkeypatch.setattr(exporting, "BATCH_ROWS", 1)
    folder = exported(palo, tmp_path, "hub", "ur")
    names = sorted(path.name for path in (folder / "data" / "ur").iterdir())
    assert names == [f"train-{at:05d}-of-00003.parquet" for at in range(3)]
    rows = loaded(str(folder), "ur", split="train")
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    assert rows["id"][:] == [one["id"] for one in golden]


def with_mix(project, items):
    """A profile whose English is a LLaVA list beside COCO's folder."""
    images = project / "images"
    path = project / "mix.json"
    path.write_text(json.dumps(items), encoding="utf-8")
    settings = yaml.safe_load((project / "pipelines.yaml").read_text(encoding="utf-8"))
    sample = settings["profiles"]["sample"]
    sample["source"]["images_dir"] = str(images / "coco" / "train2017")
    sample["train"] |= {"english_mix_path": str(path), "english_mix_images_dir": str(images)}
    (project / "pipelines.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    return load_profile("sample")


def test_a_mixture_takes_the_english_list_as_it_is_and_one_folder_of_pictures(
    profile, project, palo, tmp_path, loaded
):
    turns = [{"from": "human", "value": "<image>\nHi é"}, {"from": "gpt", "value": "Yo"}]
    mix = [
        {"id": 7, "image": "gqa/images/7.jpg", "conversations": turns, "model": "x"},
        {"id": "t", "conversations": turns[1:]},
    ]
    with_mix(project, mix)
    folder = exported(palo, tmp_path, "llava-json", "mixture")
    found = json.loads((folder / "mixture.json").read_text(encoding="ascii"))
    assert found[0] == {key: mix[0][key] for key in ("id", "image", "conversations")}
    assert found[1] == mix[1]
    assert {one["image"] for one in found[2:] if "image" in one} == {
        "coco/train2017/a.jpg",
        "coco/train2017/b.jpg",
    }
    alone = exported(palo, tmp_path, "llava-json", "ur") / "ur.json"
    assert json.loads(alone.read_text(encoding="ascii"))[0]["image"] == "a.jpg"
    rows = loaded(
        "parquet",
        data_files=str(exported(palo, tmp_path, "parquet", "mixture") / "data/en/*.parquet"),
    )
    assert rows["train"]["id"][:] == ["7", "t"]


def test_an_english_list_of_another_form_is_named(profile, project, palo, tmp_path):
    with_mix(project, [{"id": 1, "conversations": []}, {"id": 2}])
    with pytest.raises(UserError, match=r"Sample 2 of .*mix.json has no LLaVA form"):
        exported(palo, tmp_path, "llava-json", "mixture")
    assert not (tmp_path / "out").exists()
    (project / "mix.json").unlink()
    with pytest.raises(MissingResource, match="No English mix at"):
        exported(palo, tmp_path, "llava-json", "mixture")


def test_what_is_not_refined_is_not_exported(bare, palo, tmp_path):
    with pytest.raises(MissingResource, match="palo translate --lang ur"):
        exported(palo, tmp_path, "parquet", "ur")
    with pytest.raises(MissingResource, match="palo refine --lang all"):
        exported(palo, tmp_path, "parquet", "all")


def test_an_export_may_be_written_again_and_replaces_nothing_else(profile, palo, tmp_path):
    folder = exported(palo, tmp_path, "llava-json", "ur")
    before = (folder / "ur.json").read_bytes()
    exported(palo, tmp_path, "llava-json", "ur")
    assert (folder / "ur.json").read_bytes() == before
    exported(palo, tmp_path, "llava-json", "fr")
    assert sorted(path.name for path in folder.iterdir()) == [MARK, "fr.json"]
    (folder / MARK).unlink()
    with pytest.raises(UserError, match="palo did not write it, so it stays"):
        exported(palo, tmp_path, "llava-json", "ur")
    assert [path.name for path in folder.iterdir()] == ["fr.json"]


def test_without_out_it_lies_below_the_data(profile, palo):
    assert palo("export", "--format", "llava-json", "--lang", "ur").exit_code == 0
    assert (profile.data_dir / "export" / "llava-json-ur" / "ur.json").is_file()
