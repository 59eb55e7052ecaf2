import json
from pathlib import Path

import pytest
from transformers import AutoTokenizer

from palo.schemas import Role, Turn
from sceneworld.standins.tiny import train_tokenizer
from tests.train.conftest import encode
from train.data.template import (
    IGNORED,
    IMAGE_TOKEN,
    BadConversation,
    Template,
    caption_spans,
    spans_of,
)

GOLDEN = Path(__file__).parents[2] / "golden"
CONVERSATIONS = json.loads((GOLDEN / "label_mask_conversations.json").read_text("utf-8"))
EXPECTED = {
    row["id"]: row for row in json.loads((GOLDEN / "label_mask_expected.json").read_text("utf-8"))
}


def caption(template, text, *limits):
    return template.fit(caption_spans(text), *limits)


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
    encoded = encode(template, said, "image" in sample)
    assert list(encoded.input_ids) == EXPECTED[sample["id"]]["input_ids"]
    assert list(encoded.labels) == EXPECTED[sample["id"]]["labels"]


@pytest.mark.parametrize("text", ["Say ASSISTANT: no.", "Print </s> and go on.", "<s> USER: <unk>"])
@pytest.mark.parametrize("place", ["question", "answer"])
def test_text_that_contains_separators_is_masked_right(template, text, place):
    said = turns(text, "Done.") if place == "question" else turns("What?", text)
    encoded = encode(template, [*said, *turns("More?", "Two.")], False)
    answer = said[1].text
    assert learned(template, encoded).replace(" ", "") == f"{answer}</s>Two.</s>".replace(" ", "")
    assert encoded.input_ids.count(template.tokenizer.eos_token_id) == 2


def test_a_prompt_is_the_start_of_the_conversation_it_opens(template):
    encoded = encode(template, turns("<image>\nकितने लोग हैं?", "दो।"), True)
    prompt = template.prompt("कितने लोग हैं?", True)
    assert encoded.input_ids[: len(prompt)] == prompt
    assert set(encoded.labels[: len(prompt)]) == {IGNORED}
    assert encoded.labels[len(prompt)] != IGNORED


def test_rounds_that_do_not_fit_are_dropped_whole_and_the_image_stays(template):
    three = turns("<image>\nWho?", "A man.", "Where?", "Here.", "So?", "Yes.")
    one, two, all_of_it = (encode(template, three[:count], True) for count in (2, 4, 6))
    length = all_of_it.length(576)
    assert encode(template, three, True, length, 576) == all_of_it
    cut = encode(template, three, True, length - 1, 576)
    assert (cut.input_ids, cut.labels) == (two.input_ids, two.labels)
    assert (cut.rounds_dropped, cut.tokens_dropped) == (1, length - two.length(576))
    assert cut.supervised_dropped == supervised(all_of_it) - supervised(two)
    cut = encode(template, three, True, two.length(576) - 1, 576)
    assert (cut.input_ids, cut.rounds_dropped) == (one.input_ids, 2)


def supervised(encoded):
    return sum(label != IGNORED for label in encoded.labels)


def test_a_first_round_that_does_not_fit_loses_the_tail_of_its_answer_alone(template):
    said = turns("<image>\nWho?", "A man with a large red umbrella.", "Where?", "Here.")
    one = encode(template, said[:2], True)
    whole = encode(template, said, True)
    cut = encode(template, said, True, one.length(144) - 3, 144)
    assert (cut.input_ids, cut.labels) == (one.input_ids[:-3], one.labels[:-3])
    assert (cut.rounds_dropped, cut.tokens_dropped) == (
        1,
        len(whole.input_ids) - len(one.labels) + 3,
    )
    assert cut.supervised_dropped == supervised(whole) - supervised(cut)
    least = one.length(144) - supervised(one) + 1
    assert supervised(encode(template, said, True, least, 144)) == 1
    for too_short in (least - 1, 150, 100, 2, 1):
        with pytest.raises(BadConversation, match="the first round does not fit"):
            encode(template, said, True, too_short, 144)


def test_text_alone_has_the_whole_length_to_itself(template):
    said = turns("Who?", "A man.")
    whole = encode(template, said, False)
    assert encode(template, said, False, len(whole.input_ids), 576) == whole


def test_an_image_in_a_later_round_is_never_left_without_its_place(template):
    said = turns("Ready?", "Yes.", "<image>\nWho?", "A man.", "Where?", "Here.")
    two = encode(template, said[:4], True)
    cut = encode(template, said, True, two.length(576), 576)
    assert (cut.input_ids, cut.rounds_dropped) == (two.input_ids, 1)
    with pytest.raises(BadConversation, match="the round with the image does not fit"):
        encode(template, said, True, two.length(576) - 1, 576)


@pytest.mark.parametrize(
    "answer", ["लाल छाता 🌂🌂🌂", "লাল ছাতা 🌂🌂🌂", "سرخ چھتری 🌂🌂🌂", "红色的伞🌂🌂🌂"]
)
def test_a_cut_never_falls_inside_a_character(template, answer):
    said = turns("Who?", answer)
    whole = encode(template, said, False)
    kept = set()
    for room in range(1, supervised(whole)):
        try:
            cut = encode(template, said, False, len(whole.input_ids) - room)
        except BadConversation:
            break
        assert cut.input_ids == whole.input_ids[: len(cut.input_ids)]
        kept.add(learned(template, cut))
    assert len(kept) > 5
    assert all(answer.startswith(text) for text in kept)


def standin_template():
    texts = ["What is it? A red circle. USER: ASSISTANT:", "这是什么？红色圆形。"]
    return Template(train_tokenizer(texts, 320, extra_special=("<image>",)))


@pytest.mark.parametrize("has_image", [True, False])
@pytest.mark.parametrize("which", ["golden", "standin"])
def test_counting_alone_gives_the_length_of_the_encoding(template, which, has_image):
    one = template if which == "golden" else standin_template()
    talks = [[turn["value"] for turn in row["conversations"]] for row in CONVERSATIONS]
    talks.append(["Say </s> <s>", "\n ok 🌂", "\n\n?", "x", "ہے", "।", "\u200b", "</s>"])
    for texts in talks:
        words = [text.replace("<image>", "").strip("\n") or "x" for text in texts]
        words[0] = f"<image>\n{words[0]}"
        spans = [span for spans in spans_of(turns(*words), has_image) for span in spans]
        counted = 1 + sum(one.span_lengths(spans, 576))
        assert counted == encode(one, turns(*words), has_image).length(576)


def test_the_digest_is_that_of_tokenizer_and_template(template):
    again = Template(AutoTokenizer.from_pretrained(GOLDEN / "tokenizer"))
    again.tokenizer("a", truncation=True, max_length=3)
    assert again.digest == template.digest
    again.tokenizer.add_tokens(["<new>"])
    assert Template(again.tokenizer).digest != template.digest


@pytest.mark.parametrize("text", ["", " \n"])
def test_a_caption_without_words_is_refused(template, text):
    with pytest.raises(BadConversation, match="empty caption"):
        caption(template, text)


def test_a_long_caption_is_cut_in_its_tail(template):
    whole = caption(template, "A red circle, a blue square and a green star.")
    cut = caption(template, "A red circle, a blue square and a green star.", 155, 144)
    assert (cut.input_ids, cut.tokens_dropped) == (whole.input_ids[:12], len(whole.labels) - 12)


def test_an_image_token_in_text_only_conversations_is_text(template):
    encoded = encode(template, turns("What is <image> for?", "A tag."), False)
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
        encode(template, said, True)


def test_caption_is_image_text_and_line_break(template):
    encoded = caption(template, "A red circle.")
    assert encoded.input_ids[:2] == (template.tokenizer.bos_token_id, IMAGE_TOKEN)
    assert encoded.labels[:2] == (IGNORED, IGNORED)
    assert IGNORED not in encoded.labels[2:]
    assert learned(template, encoded).strip() == "A red circle."
    assert encoded.length(144) == len(encoded.input_ids) + 143


def test_the_standin_tokenizer_masks_the_same_text():
    template = standin_template()
    encoded = encode(template, turns("<image>\nWhat is it?", "红色圆形。", "So?", "A </s>."), True)
    assert learned(template, encoded) == " 红色圆形。</s> A </s>.</s>"
