import pytest
from PIL import Image

from palo.schemas import Role, Turn
from tests.train.conftest import make_tokenizer
from train.data.batches import Collator, Pictures, SetAside, TrainingData
from train.data.images import UnreadableImage, make_processor
from train.data.mixture import Example
from train.data.template import IGNORED, IMAGE_TOKEN, Template

COLLATOR = Collator(image_token_id=4, image_tokens=16, pad_token_id=3)


def example(sample_id, image=None, answer="A red circle."):
    question = "<image>\nWhat is it?" if image else "What is it?"
    return Example(sample_id, "en", image, (Turn(Role.HUMAN, question), Turn(Role.GPT, answer)))


@pytest.fixture
def picture(tmp_path):
    Image.new("RGB", (40, 20), (200, 0, 0)).save(tmp_path / "a.png")
    return tmp_path / "a.png"


def make_data(tmp_path, examples, **kwargs):
    template, pictures = Template(make_tokenizer()), Pictures(make_processor(64))
    aside = SetAside(tmp_path / "aside.jsonl")
    return TrainingData(examples, template, pictures, 16, 600, aside, **kwargs)


def test_lengths_are_true_lengths_with_the_image_in_full(tmp_path, picture):
    data = make_data(tmp_path, [example("a", picture), example("b")])
    batch = COLLATOR([data[0]])
    assert data.lengths[0] == batch["input_ids"].shape[1]
    assert (batch["input_ids"] == 4).sum() == 16
    assert IMAGE_TOKEN not in batch["input_ids"]


def test_a_batch_pads_on_the_right_and_learns_nothing_from_padding(tmp_path, picture):
    data = make_data(tmp_path, [example("a", picture), example("b")])
    batch = COLLATOR([data[0], data[1]])
    assert batch["pixel_values"].shape == (1, 3, 64, 64)
    padding = batch["input_ids"][1] == 3
    assert padding.sum() == data.lengths[0] - data.lengths[1]
    assert (batch["labels"][1][padding] == IGNORED).all()
    learned = batch["labels"] != IGNORED
    assert (batch["labels"][learned] == batch["input_ids"][learned]).all()


def test_a_batch_of_text_alone_has_no_pixels(tmp_path):
    data = make_data(tmp_path, [example("b")])
    assert "pixel_values" not in COLLATOR([data[0]])


def test_an_unreadable_image_is_set_aside_with_its_reason_and_the_next_one_takes_its_place(
    tmp_path, picture
):
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no picture")
    gone = tmp_path / "gone.jpg"
    data = make_data(
        tmp_path, [example("x", broken), example("y", gone), example("a", picture, "Two.")]
    )
    assert data[0].encoded == data[2].encoded
    assert data[1].encoded == data[2].encoded
    reasons = {row["id"]: row["reason"] for row in data.set_aside.read()}
    assert reasons.keys() == {"x", "y"}
    assert f"cannot read image {broken}" in reasons["x"]
    assert reasons["y"] == f"no image {gone}"


def test_a_set_without_one_readable_image_is_an_error_not_a_loop(tmp_path):
    data = make_data(tmp_path, [example("x", tmp_path / "gone.jpg")])
    with pytest.raises(UnreadableImage, match="not one image"):
        data[0]


def test_a_sample_that_does_not_fit_the_template_is_set_aside(tmp_path, picture):
    without_tag = Example("bad", "ur", picture, example("b").turns)
    data = make_data(tmp_path, [without_tag, example("b")])
    assert len(data) == 1
    (row,) = data.set_aside.read()
    assert (row["id"], row["lang"]) == ("bad", "ur")
    assert row["reason"] == "0 <image> tags in the questions, not one"


def test_stage_1_sees_image_and_caption_only(tmp_path, picture):
    data = make_data(tmp_path, [example("a", picture)], as_captions=True)
    ids = data[0].encoded.input_ids
    assert ids[1] == IMAGE_TOKEN
    assert data.template.tokenizer.decode(ids[2:]) == "A red circle.\n"


def test_an_overlong_conversation_is_cut_but_keeps_its_image(tmp_path, picture):
    data = make_data(tmp_path, [example("a", picture, "circle " * 600)])
    assert data.lengths == [600]
    assert (COLLATOR([data[0]])["input_ids"] == 4).sum() == 16
