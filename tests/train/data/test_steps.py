import numpy as np
import pytest
import torch
from PIL import Image

from palo.schemas import Role, Turn
from tests.train.conftest import make_tokenizer
from train.data.images import (
    ImageLosses,
    make_processor,
    normalised,
    pixel_bytes,
    pixel_values,
)
from train.data.mixture import Example
from train.data.packing import Measure, StepPlan
from train.data.steps import Item, Packer, Pictures, StageData
from train.data.template import IMAGE_TOKEN, Encoded, Template

PACKER = Packer(image_token_id=4, image_tokens=3, pad_token_id=3)
IGNORED = -100


def item(ids, labels=None, language=0, pixels=None):
    return Item(Encoded(tuple(ids), tuple(labels or [IGNORED] * len(ids))), pixels, language)


def example(sample_id, image=None, answer="A red circle.", lang="en"):
    question = "<image>\nWhat is it?" if image else "What is it?"
    return Example(sample_id, lang, image, (Turn(Role.HUMAN, question), Turn(Role.GPT, answer)))


@pytest.fixture
def picture(tmp_path):
    Image.new("RGB", (40, 20), (200, 0, 0)).save(tmp_path / "a.png")
    return tmp_path / "a.png"


def make_data(tmp_path, examples, rank=0, world_size=1, **plan):
    measure = Measure(Template(make_tokenizer()), 16, 600, False)
    lengths = np.array([measure.encode(one).length(16) for one in examples], dtype=np.int32)
    settings = {"batch_size": 4, "row_tokens": 600, "total_steps": 2, **plan}
    return StageData(
        examples,
        ("en", "ur"),
        measure,
        Packer(4, 16, 3),
        StepPlan(lengths, lambda epoch: np.arange(len(examples)), **settings),
        Pictures(make_processor(64)),
        ImageLosses(tmp_path / "losses.jsonl", 1.0, len(examples)),
        rank,
        world_size,
    )


def test_documents_lie_end_to_end_with_positions_of_their_own():
    row = PACKER.row([item([1, 7, 8]), item([1, 9])])
    assert row.input_ids.tolist() == [[1, 7, 8, 1, 9, 3, 3, 3]]
    assert row.position_ids.tolist() == [[0, 1, 2, 0, 1, 0, 1, 2]]
    assert row.document_lengths == (3, 2, 3)  # the last one is padding
    assert row.tokens == 5


def test_a_target_is_predicted_at_the_place_before_it_and_never_from_another_document():
    row = PACKER.row([item([1, 7, 8], [1, IGNORED, 8]), item([1, 9], [IGNORED, 9])])
    assert row.supervised.tolist() == [1, 3]
    assert row.targets.tolist() == [8, 9]  # the first label is no one's to predict


def test_targets_are_ordered_by_language():
    row = PACKER.row(
        [
            item([1, 7], [IGNORED, 7], 1),
            item([1, 8], [IGNORED, 8], 0),
            item([1, 9], [IGNORED, 9], 1),
        ]
    )
    assert row.groups == ((0, 1), (1, 2))
    assert row.targets.tolist() == [8, 7, 9]


def test_an_image_takes_its_places_and_is_not_learned():
    pixels = torch.ones(3, 2, 2)
    row = PACKER.row([item([1, IMAGE_TOKEN, 7], [IGNORED, IGNORED, 7], pixels=pixels)])
    assert row.input_ids.tolist()[0][:5] == [1, 4, 4, 4, 7]
    assert (row.supervised.tolist(), row.targets.tolist()) == ([3], [7])
    assert row.pixel_values.shape == (1, 3, 2, 2)


def test_a_row_of_nothing_is_padding():
    row = PACKER.row([])
    assert row.input_ids.tolist() == [[3] * 8]
    assert (row.tokens, row.groups, row.document_lengths) == (0, (), (8,))
    assert row.pixel_values is None
    assert len(row.targets) == 0


def test_a_step_holds_its_conversations_and_their_pixels(tmp_path, picture):
    data = make_data(tmp_path, [example("a", picture), example("b"), example("c", lang="ur")])
    assert len(data) == 2
    (row,) = data[0]
    assert row.tokens == sum(data.plan.lengths)
    assert (row.input_ids == 4).sum() == 16
    assert row.pixel_values.shape == (1, 3, 64, 64)
    assert [language for language, _ in row.groups] == [0, 1]
    assert data.sample_ids(0) == ["a", "b", "c"]


def test_processes_share_a_steps_rows(tmp_path):
    examples = [example(str(number)) for number in range(4)]
    parts = [make_data(tmp_path, examples, rank, 2) for rank in (0, 1)]
    rows = [part[0] for part in parts]
    assert [len(one) for one in rows] == [1, 1]
    assert sum(row.tokens for one in rows for row in one) == sum(parts[0].plan.lengths)


def test_an_unreadable_image_leaves_its_conversation_out_with_the_reason(tmp_path, picture):
    broken, gone = tmp_path / "broken.jpg", tmp_path / "gone.jpg"
    broken.write_bytes(b"no picture")
    data = make_data(
        tmp_path, [example("x", broken), example("y", gone), example("a", picture, "Two.")]
    )
    (row,) = data[0]
    assert row.tokens == data.plan.lengths[2]
    reasons = {one["id"]: one["reason"] for one in data.losses.read()}
    assert reasons.keys() == {"x", "y"}
    assert f"cannot read image {broken}" in reasons["x"]
    assert f"no image {gone}" in reasons["y"]


def test_pixels_of_a_small_set_are_read_once(tmp_path, picture):
    for most in (0, 1, 100):
        pictures = Pictures(make_processor(64), most)
        first = pictures.pixels(picture)
        aside = picture.rename(tmp_path / "aside.png")
        assert pictures.pixels(picture) is first
        aside.rename(picture)


def test_of_a_large_set_none_is_kept(picture, monkeypatch):
    pictures = Pictures(make_processor(64), 100 * 2**20 // (3 * 64 * 64) + 1)
    pictures.pixels(picture)
    assert not pictures._kept
    monkeypatch.setattr("train.data.steps.CACHED_PIXEL_BYTES", 3 * 64 * 64)
    pictures = Pictures(make_processor(64))  # who says nothing of how many keeps what has room
    for name in "abc":
        copy = picture.with_name(f"{name}.png")
        copy.write_bytes(picture.read_bytes())
        pictures.pixels(copy)
    assert len(pictures._kept) == 1


@pytest.mark.parametrize("side", [64, 336])
def test_bytes_are_normalised_to_the_very_floats_of_the_processor(side):
    random, processor = np.random.RandomState(3), make_processor(side)
    sizes = [(40, 300), (500, 90), (side, side), (641, 480)]
    images = [Image.fromarray(random.randint(0, 256, (*at, 3), dtype=np.uint8)) for at in sizes]
    kept = torch.stack([pixel_bytes(image, processor) for image in images])
    assert kept.dtype == torch.uint8 and kept.shape == (4, 3, side, side)
    wanted = pixel_values(images, processor)
    assert torch.equal(normalised(kept), wanted)
    assert normalised(wanted) is wanted


def test_every_shade_of_every_colour_is_the_processors():
    ramp = np.repeat(np.arange(256, dtype=np.uint8).reshape(16, 16, 1), 3, axis=2)
    made = normalised(torch.from_numpy(ramp).permute(2, 0, 1)[None])
    processor = make_processor(16)
    assert torch.equal(made, pixel_values([Image.fromarray(ramp)], processor))
