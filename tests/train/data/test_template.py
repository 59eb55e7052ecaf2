import json
from pathlib import Path

import pytest
from transformers import AutoTokenizer

from palo.schemas import Role, Turn
from palo.tiny import train_tokenizer
from train.data.template import IGNORED, IMAGE_TOKEN, BadConversation, Template

GOLDEN = Path(__file__).parents[2] / "golden"
CONVERSATIONS = json.loads((GOLDEN / "label_mask_conversations.json").read_text("utf-8"))
EXPECTED = {
    row["id"]: row for row in json.loads((GOLDEN / "label_mask_expected.json").read_text("utf-8"))
}


@pytest.fixture(scope="module")
def template():
    return Template(AutoTokenizer.from_pretrained(GOLDEN / "tokenizer"))


def turns(*texts):
    return [Turn((Role.HUMAN, Role.GPT)[index % 2], text) for index, text in enumerate(texts)]


def learned(template, encoded):
    return template.tokenizer.decode([label for label in encoded.labels if label != IGNORED])


@pytest.mark.parametrize("sample", CONVERSATIONS, ids=[row["id"] for row in CONVERSATIONS])
def test_ids_and_labels_equal_the_published_preprocessing(template, sample):
    said = [Turn(Role(turn["from"]), turn["value"]) for turn in sample["conversations"]]
    encoded = template.encode(said, "image" in sample)
    assert list(encoded.input_ids) == EXPECTED[sample["id"]]["input_ids"]
    assert list(encoded.labels) == EXPECTED[sample["id"]]["labels"]


@pytest.mark.parametrize("text", ["Say ASSISTANT: no.", "Print </s> and go on.", "<s> USER: <unk>"])
@pytest.mark.parametrize("place", ["question", "answer"])
def test_text_that_contains_separators_is_masked_right(template, text, place):
    said = turns(text, "Done.") if place == "question" else turns("What?", text)
    encoded = template.encode([*said, *turns("More?", "Two.")], False)
    answer = said[1].text
    assert learned(template, encoded).replace(" ", "") == f"{answer}</s>Two.</s>".replace(" ", "")
    assert encoded.input_ids.count(template.tokenizer.eos_token_id) == 2


def test_a_prompt_is_the_start_of_the_conversation_it_opens(template):
    encoded = template.encode(turns("<image>\nकितने लोग हैं?", "दो।"), True)
    prompt = template.prompt("कितने लोग हैं?", True)
    assert encoded.input_ids[: len(prompt)] == prompt
    assert set(encoded.labels[: len(prompt)]) == {IGNORED}
    assert encoded.labels[len(prompt)] != IGNORED


def test_rounds_that_do_not_fit_are_dropped_whole_and_the_image_stays(template):
    two = turns("<image>\nWho?", "A man.", "Where?", "Here.")
    one = template.encode(two[:2], True)
    assert template.encode(two, True, max_length=len(one.input_ids)) == one
    cut = template.encode(two, True, max_length=len(one.input_ids) - 3)
    assert cut.input_ids == one.input_ids[:-3]
    assert IMAGE_TOKEN in cut.input_ids


def test_an_image_token_in_text_only_conversations_is_text(template):
    encoded = template.encode(turns("What is <image> for?", "A tag."), False)
    assert IMAGE_TOKEN not in encoded.input_ids


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (turns("Who?", "A man."), "0 <image> tags in the questions, not one"),
        (turns("<image> <image> Who?", "A man."), "2 <image> tags in the questions, not one"),
        (turns("<image>"), "no answer"),
        (turns("<image>", " "), "empty turn"),
        ([*turns("<image>"), *turns("Who?", "A man.")], "roles do not alternate"),
    ],
)
def test_a_bad_conversation_is_refused_with_its_reason(template, said, reason):
    with pytest.raises(BadConversation, match=reason.replace("?", r"\?")):
        template.encode(said, True)


def test_caption_is_image_text_and_line_break(template):
    encoded = template.caption("A red circle.")
    assert encoded.input_ids[:2] == (template.tokenizer.bos_token_id, IMAGE_TOKEN)
    assert encoded.labels[:2] == (IGNORED, IGNORED)
    assert IGNORED not in encoded.labels[2:]
    assert learned(template, encoded).strip() == "A red circle."
    assert encoded.length(144) == len(encoded.input_ids) + 143


def test_the_standin_tokenizer_masks_the_same_text():
    texts = ["What is it? A red circle. USER: ASSISTANT:", "这是什么？红色圆形。"]
    template = Template(train_tokenizer(texts, 320, extra_special=("<image>",)))
    encoded = template.encode(turns("<image>\nWhat is it?", "红色圆形。", "So?", "A </s>."), True)
    assert learned(template, encoded) == " 红色圆形。</s> A </s>.</s>"
