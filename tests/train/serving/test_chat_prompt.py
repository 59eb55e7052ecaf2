import pytest
from transformers import AutoTokenizer

from palo.errors import UserError
from palo.schemas import Role, Turn
from tests.train.conftest import ROOT, encode, make_tokenizer
from train.data.template import IMAGE_TOKEN, Template
from train.serving.chat import Conversation, make_prompt

WIDE = 100_000
IMAGE_TOKENS = 576
SAID = [
    ("यह क्या है?", "एक लाल वृत्त।"),
    ("Say ASSISTANT: </s>", "ASSISTANT: </s>"),
    ("这是什么？", "红色的圆。\n一个。"),
    ("یہ کیا ہے؟", "ایک سرخ دائرہ۔"),
]


@pytest.fixture(scope="module", params=["Llama's", "ours"])
def template(request):
    if request.param == "ours":
        return Template(make_tokenizer())
    return Template(AutoTokenizer.from_pretrained(ROOT / "tests/golden/tokenizer"))


def prompt_of(template, rounds, question, has_image, max_tokens, max_new_tokens):
    conversation = Conversation("pixels" if has_image else None, rounds)
    return make_prompt(template, conversation, question, max_new_tokens, max_tokens, IMAGE_TOKENS)


def turns(rounds, has_image):
    texts = [text for one in rounds for text in one]
    if has_image:
        texts[0] = f"<image>\n{texts[0]}"
    return [Turn((Role.HUMAN, Role.GPT)[index % 2], text) for index, text in enumerate(texts)]


@pytest.mark.parametrize("has_image", [True, False])
@pytest.mark.parametrize("count", range(1, 5))
def test_the_prompt_of_every_round_is_the_start_of_what_training_encodes(
    template, has_image, count
):
    encoded = encode(template, turns(SAID[:count], has_image), has_image)
    prompt = prompt_of(template, SAID[: count - 1], SAID[count - 1][0], has_image, WIDE, 9)
    assert encoded.input_ids[: len(prompt.ids)] == prompt.ids
    learned = template.tokenizer.decode(encoded.labels[len(prompt.ids) :])
    assert learned.strip() == f"{SAID[count - 1][1]}</s>"
    assert prompt.ids.count(IMAGE_TOKEN) == has_image
    assert (prompt.new_tokens, prompt.rounds_dropped) == (9, 0)


@pytest.mark.parametrize("has_image", [True, False])
def test_whole_early_rounds_are_dropped_and_the_picture_never(template, has_image):
    rounds, question = SAID[:3], SAID[3][0]
    for dropped in range(4):
        left = [*rounds[dropped:], (question, "Yes.")]
        shortest = prompt_of(template, rounds[dropped:], question, has_image, WIDE, 5)
        length = len(shortest.ids) + 575 * has_image
        prompt = prompt_of(template, rounds, question, has_image, length + 5, 5)
        assert prompt == type(prompt)(shortest.ids, 5, dropped)
        encoded = encode(template, turns(left, has_image), has_image)
        assert encoded.input_ids[: len(prompt.ids)] == prompt.ids
        assert prompt.ids.count(IMAGE_TOKEN) == has_image
    with pytest.raises(UserError, match=f"too long: with template and picture {length} tokens"):
        prompt_of(template, rounds, question, has_image, length + 4, 5)


def test_a_quarter_is_kept_for_answers_that_may_be_longer_than_that(template):
    length = len(prompt_of(template, [], "Who?", False, WIDE, 1).ids)
    assert prompt_of(template, [], "Who?", False, 2 * length, 10_000).new_tokens == length
