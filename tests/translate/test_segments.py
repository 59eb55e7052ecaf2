import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from translate.segments import cut

pieces = st.sampled_from(
    [
        "<image>", "\n", " ", "\r\n", "Look at ", "https://example.org/a?b=1", "`x = 1`", "$x^2$",
        "[0.10, 0.20, 0.50, 0.60]", "{name}", "<x1>", "</b>", "me@example.org", "12 cm", "।", "語",
        "```\ncode\n```", "ٹڈ", "\u2028", "🌟\u200d", ".",
    ]
)  # fmt: skip
texts = st.lists(pieces | st.text(max_size=12), max_size=12).map("".join)


@given(texts)
@example("<image>\nSee `<image>` at https://a.b/c.\n<image>")
def test_untouched_segment_is_restored_byte_for_byte(text):
    found = cut(text)
    assert found.restore(found.text) == text
    assert found.restore(f" \n{found.text} ") == text


@given(texts)
def test_image_tags_never_reach_the_model(text):
    assert "<image>" not in cut(text).text


@given(texts)
def test_a_known_translation_can_be_masked_and_restored(text):
    found = cut(text)
    masked = found.mask(text)
    assert masked is not None
    assert found.restore(masked) == text


@pytest.mark.parametrize("text", ["<image>\nWhat?", "What?\n<image>", "<image> What?", "What?"])
def test_equal_questions_share_a_segment_wherever_their_image_tag_is(text):
    assert cut(text).text == "What?"
    assert cut(text).restore("Was?") == text.replace("What?", "Was?")


def test_spans_become_placeholders_and_come_back_in_any_order():
    found = cut("<image>\nCompare https://a.b/c with [0.1, 0.2] and `x`.")
    assert found.text == "Compare <x1> with <x2> and <x3>."
    assert found.restore("<x3> و <x1> و <x2>۔") == "<image>\n`x` و https://a.b/c و [0.1, 0.2]۔"


def test_tag_that_looks_like_a_placeholder_is_protected_too():
    found = cut("Keep <x7> and {a}.")
    assert found.spans == ("<x7>", "{a}")
    assert found.restore(found.text) == "Keep <x7> and {a}."


@pytest.mark.parametrize(
    "text",
    [
        "12",
        " 3.5, 4 ",
        "https://a.b/c",
        "<image>",
        "`code`",
        "?!",
        "[0.1, 0.2]",
        "🌟",
        "١٢",
        "OK",
        "Ok.",
    ],
)
def test_text_without_language_is_copied(text):
    assert cut(text).copied


@pytest.mark.parametrize("text", ["Two.", "OK then", "12 cm", "See https://a.b/c", "語", "ہاں"])
def test_text_with_a_letter_of_its_own_is_translated(text):
    assert not cut(text).copied


def test_a_persons_text_gets_the_image_tag_it_left_out():
    found = cut("<image>\nWhat?")
    assert found.reframe("Quoi ?") == "<image>\nQuoi ?"
    assert found.reframe("Quoi ?\n<image>") == "Quoi ?\n<image>"
    assert cut("What?").reframe(" Quoi ?") == " Quoi ?"


def test_a_translation_without_its_span_cannot_be_masked():
    found = cut("See https://a.b/c or https://a.b/c.")
    assert found.mask("Voir https://a.b/c.") is None
    assert found.mask("Voir https://a.b/c https://a.b/c") == "Voir <x1> <x2>"
