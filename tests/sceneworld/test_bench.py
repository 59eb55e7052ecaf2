"""The sample's LLaVA-Bench-style set: as published, exact, of held-out scenes."""

import json
from collections import Counter

import pytest
from PIL import Image

from palo.benchmark_set import read_set
from palo.languages import TARGETS
from palo.settings import WorldSettings
from sceneworld.build import build_world
from sceneworld.truth import BENCH_TRUTH, load_truth

SETTINGS = WorldSettings(
    seed=5,
    source_images=4,
    corpus_scenes=20,
    caption_images=2,
    text_scenes=2,
    parallel_text_scenes=1,
    evaluation_images=9,
    bench_images=8,
)


@pytest.fixture(scope="module")
def world_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    (folder / "bench" / "ur").mkdir(parents=True)
    (folder / "bench" / "ur" / "questions.jsonl").write_text("of another world")
    build_world(folder, SETTINGS)
    return folder


@pytest.fixture(scope="module")
def english(world_dir):
    return read_set(world_dir / "bench", "en")


def test_it_has_one_question_of_each_category_a_picture(english):
    assert Counter(one.category for one in english.questions) == {
        "conv": 8,
        "detail": 8,
        "complex": 8,
    }
    assert [one.question_id for one in english.questions] == list(range(24))
    assert len({one.text for one in english.questions}) > 12


def test_its_lines_have_the_published_fields_in_the_published_order(world_dir):
    folder = world_dir / "bench" / "en"
    first = {path.name: json.loads(path.open().readline()) for path in sorted(folder.iterdir())}
    assert {name: [*row] for name, row in first.items()} == {
        "questions.jsonl": ["question_id", "image", "text", "category"],
        "context.jsonl": ["id", "image", "caption"],
        "answers_grammar.jsonl": [
            *("question_id", "prompt", "answer_id", "model_id", "metadata", "text"),
            "exact",
        ],
    }


def test_answers_that_can_be_given_in_one_way_alone_say_so(english):
    for one in english.questions:
        fields = english.reference()[one.question_id].fields
        assert fields.get("exact", False) is (one.category != "detail")


def test_its_pictures_are_those_of_held_out_questions(world_dir, english):
    held_out = sorted((world_dir / "images" / "evaluation").iterdir())
    for path, caption in zip(held_out, english.captions, strict=False):
        picture = english.images_dir / caption.image
        assert picture.read_bytes() == path.read_bytes()
        with Image.open(picture) as opened:
            assert opened.size == (256, 256)
    assert len(english.captions) == len(list(english.images_dir.iterdir())) == 8


def test_the_truth_knows_every_question_answer_and_caption_in_all_languages(world_dir, english):
    truth = load_truth(world_dir / BENCH_TRUTH)
    reference = english.reference()
    said = {("", one.text) for one in english.questions}
    said |= {("", one.captions[0]) for one in english.captions}
    said |= {(one.text, reference[one.question_id].text) for one in english.questions}
    assert set(truth) == said
    assert {tuple(row) for row in truth.values()} == {tuple(TARGETS)}


def test_translations_of_another_world_are_gone(world_dir):
    assert sorted(path.name for path in (world_dir / "bench").iterdir()) == ["en", "images"]


def test_fewer_held_out_pictures_make_a_smaller_set(tmp_path):
    build_world(tmp_path, SETTINGS.model_copy(update={"evaluation_images": 2}))
    assert len(read_set(tmp_path / "bench", "en").questions) == 6
