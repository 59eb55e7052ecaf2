"""A small world, built once, read back as the stages will read it."""

import collections
import json
import re

import pytest
from PIL import Image

from palo.languages import LANGUAGES, TARGETS
from palo.settings import WorldSettings
from sceneworld.build import build_world
from sceneworld.truth import load_truth, without_image

SETTINGS = WorldSettings(
    seed=11,
    source_images=40,
    corpus_scenes=200,
    caption_images=12,
    text_scenes=20,
    parallel_text_scenes=8,
    evaluation_images=28,
)
FIXED = {
    "Yes.",
    "No.",
    "Describe the following image.",
    "What do you see in the picture?",
    "List all the objects in the picture.",
}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    world_dir = tmp_path_factory.mktemp("world")
    return world_dir, build_world(world_dir, SETTINGS)


def lines(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n")[:-1]]


def source(world):
    return json.loads((world[0] / "source.json").read_text(encoding="utf-8"))


def contents(world_dir):
    files = (path for path in world_dir.rglob("*") if path.is_file())
    return {str(path.relative_to(world_dir)): path.read_bytes() for path in files}


def test_equal_settings_give_equal_bytes_over_an_older_world(world, tmp_path):
    build_world(tmp_path, SETTINGS.model_copy(update={"seed": 12}))
    other_seed = contents(tmp_path)
    build_world(tmp_path, SETTINGS)
    assert contents(tmp_path) == contents(world[0])
    assert other_seed["source.json"] != contents(tmp_path)["source.json"]


def test_a_folder_of_pictures_may_be_a_link_to_another_disk(world, tmp_path):
    for number in range(2):  # what stands behind a link is not removed before it is written again
        folder, link = tmp_path / "disk", tmp_path / "world" / "images" / "captions"
        if not number:
            folder.mkdir()
            link.parent.mkdir(parents=True)
            link.symlink_to(folder)
        build_world(tmp_path / "world", SETTINGS)
    assert link.is_symlink()
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        path.name: path.read_bytes() for path in (world[0] / "images" / "captions").iterdir()
    }


def test_folders_that_are_links_to_another_disk_are_emptied_and_filled(world, tmp_path):
    for name in ("bench", "images/captions"):
        disk, link = tmp_path / "disk" / name, tmp_path / "world" / name
        for folder in (disk, link.parent):
            folder.mkdir(parents=True, exist_ok=True)
        (disk / "old.txt").write_text("of another world")
        link.symlink_to(disk)
    for _ in range(2):
        build_world(tmp_path / "world", SETTINGS)
        assert contents(tmp_path / "world" / "bench") == contents(world[0] / "bench")
        captions = contents(tmp_path / "world" / "images" / "captions")
        assert captions == contents(world[0] / "images" / "captions")
        assert len(captions) == SETTINGS.caption_images


def test_the_summary_counts_what_was_written(world):
    world_dir, summary = world
    samples = source(world)
    assert summary == {
        "samples": len(samples),
        "turns": sum(len(sample["conversations"]) for sample in samples),
        "truth_rows": len(lines(world_dir / "truth.jsonl")),
        "corpus_rows": len(lines(world_dir / "corpus.jsonl")),
        "captions": 12,
        "text_rows": len(lines(world_dir / "text.jsonl")),
        "evaluation_questions": 28 * 7,
    }
    assert summary["samples"] == 40 * 3 + 3


def test_source_is_llava_instruct_json(world):
    ids = collections.Counter()
    for sample in source(world):
        roles = [turn["from"] for turn in sample["conversations"]]
        assert roles == ["human", "gpt"] * (len(roles) // 2)
        first, *rest = [turn["value"] for turn in sample["conversations"]]
        assert not any("<image>" in text for text in rest)
        if "image" in sample:
            ids[sample["id"]] += 1
            assert re.fullmatch(r"\d{12}", sample["id"])
            assert sample["image"] == f"source/{sample['id']}.jpg"
            assert first.startswith("<image>\n") != first.endswith("\n<image>")
            with Image.open(world[0] / "images" / sample["image"]) as picture:
                assert (picture.format, picture.size) == ("JPEG", (256, 256))
        else:
            assert "<image>" not in first
    assert len(ids) == 40
    assert set(ids.values()) == {3}


def test_the_image_tag_stands_before_and_after(world):
    firsts = [s["conversations"][0]["value"] for s in source(world) if "image" in s]
    before = sum(text.startswith("<image>\n") for text in firsts)
    assert 0.3 <= before / len(firsts) <= 0.7


def test_the_truth_knows_every_turn_of_the_source_and_nothing_else(world):
    truth = load_truth(world[0] / "truth.jsonl")
    said = set()
    for sample in source(world):
        texts = [without_image(turn["value"]) for turn in sample["conversations"]]
        said |= {("", question) for question in texts[::2]}
        said |= set(zip(texts[::2], texts[1::2], strict=True))
    assert set(truth) == said
    assert {tuple(row) for row in truth.values()} == {tuple(TARGETS)}
    assert all(text.strip() == text != "" for row in truth.values() for text in row.values())


def test_urls_boxes_and_numbers_with_units_stand_unchanged_in_every_language(world):
    truth = load_truth(world[0] / "truth.jsonl")
    kept = re.compile(r"https://\S+|\[\d.*?\]|\d+ px")
    seen = set()
    for (_, english), row in truth.items():
        for span in kept.findall(english):
            seen.add(span[0] if not span.endswith("px") else "px")
            assert all(span in text for text in row.values())
    assert seen == {"h", "[", "px"}


def test_the_corpus_shares_nothing_with_the_source(world):
    truth = load_truth(world[0] / "truth.jsonl")
    corpus = load_truth(world[0] / "corpus.jsonl")
    assert len(corpus) > 500
    assert not set(corpus) & set(truth)
    assert not {english for _, english in corpus} & FIXED


def test_a_quarter_of_the_corpus_has_several_sentences(world):
    corpus = load_truth(world[0] / "corpus.jsonl")
    several = [english for _, english in corpus if re.search(r"[.?] [A-Z]", english)]
    assert 0.15 <= len(several) / len(corpus) <= 0.27  # less in a world this small


def test_captions_and_patches_tell_of_the_same_pictures(world):
    captions = json.loads((world[0] / "captions.json").read_text(encoding="utf-8"))
    patches = lines(world[0] / "patches.jsonl")
    assert [caption["image"] for caption in captions] == [row["image"] for row in patches]
    for caption, row in zip(captions, patches, strict=True):
        assert len(row["cells"]) == 16
        human, gpt = (turn["value"] for turn in caption["conversations"])
        assert "<image>" in human
        told = re.findall(r"an? (\w+ \w+ \w+) in the", gpt, re.IGNORECASE)
        assert told == [cell for cell in row["cells"] if cell]
        assert (world[0] / "images" / row["image"]).is_file()


def test_text_asks_the_same_in_ten_languages_and_more_in_english(world):
    rows = lines(world[0] / "text.jsonl")
    languages = [{tuple(one) for one in row["questions"]} for row in rows]
    assert languages == [{tuple(LANGUAGES)}] * 8 + [{("en",)}] * 12
    asked = [len(row["questions"]) for row in rows]
    assert max(asked) == 5  # four seeing kinds and one that takes reasoning
    assert min(asked) >= 1
    assert sum(asked) / len(asked) >= 4  # not every scene offers all
    assert [min(3, len(row["talk"])) for row in rows] == [3] * 8 + [0] * 12
    assert all(len(pair) == 2 for row in rows for one in row["questions"] for pair in one.values())


def test_evaluation_is_balanced_over_kinds_and_answers(world):
    rows = lines(world[0] / "evaluation.jsonl")
    kinds = collections.Counter(row["kind"] for row in rows)
    assert kinds == dict.fromkeys(
        ("colour", "shape", "size", "region", "exists", "count", "side"), 28
    )
    assert {row["kind"] for row in rows if row["reasoning"]} == {"exists", "count", "side"}
    answers = collections.Counter((row["kind"], row["answers"]["en"][0]) for row in rows)
    assert abs(answers["size", "Big."] - answers["size", "Small."]) <= 4
    assert max(count for (kind, _), count in answers.items() if kind == "colour") <= 6


def test_evaluation_speaks_ten_languages_in_two_forms(world):
    for row in lines(world[0] / "evaluation.jsonl"):
        assert list(row["questions"]) == list(LANGUAGES)
        assert list(row["answers"]) == list(LANGUAGES)
        for short, sentence in row["answers"].values():
            assert short != sentence
        assert (world[0] / "images" / row["image"]).is_file()


def test_no_picture_is_drawn_twice(world):
    pictures = [path.read_bytes() for path in (world[0] / "images").rglob("*.jpg")]
    assert len(pictures) == 40 + 12 + 28
    assert len(set(pictures)) == len(pictures)
