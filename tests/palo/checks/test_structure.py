"""Protected spans are found in every script and compared as multisets."""

import pytest
import regex

from palo.checks.structure import (
    _ROUGH_HINT,
    SpanKind,
    protected_spans,
    span_difference,
    without_protected,
)


def spans(text):
    return [(span.text, span.kind) for span in protected_spans(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<image>\nWhat is it?", [("<image>", SpanKind.IMAGE)]),
        ("See https://example.com/a_b?c=1.", [("https://example.com/a_b?c=1", SpanKind.URL)]),
        ("请看https://example.com/a。", [("https://example.com/a", SpanKind.URL)]),
        ("دیکھیں https://example.com/a۔", [("https://example.com/a", SpanKind.URL)]),
        ("देखें www.example.com।", [("www.example.com", SpanKind.URL)]),
        ("(https://example.com/x_(y))", [("https://example.com/x_(y)", SpanKind.URL)]),
        ("at [0.25, 0.00, 0.50, 0.25].", [("[0.25, 0.00, 0.50, 0.25]", SpanKind.BOX)]),
        (
            "রং {colour} আর `x = {y}`",
            [("{colour}", SpanKind.PLACEHOLDER), ("`x = {y}`", SpanKind.CODE)],
        ),
        ("```py\nprint(1)\n```", [("```py\nprint(1)\n```", SpanKind.CODE)]),
        ("so $x^2 = 4$ holds", [("$x^2 = 4$", SpanKind.LATEX)]),
        ("公式\\(a+b\\)です", [("\\(a+b\\)", SpanKind.LATEX)]),
        ("write to a.b@example.com now", [("a.b@example.com", SpanKind.EMAIL)]),
        ("<b>bold</b>", [("<b>", SpanKind.TAG), ("</b>", SpanKind.TAG)]),
        ("a \U0001f600!", [("\U0001f600", SpanKind.EMOJI)]),
        (  # a family joined by U+200D, a hand with a skin, the flag of Bangladesh, key 1, a heart
            "\U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f44d\U0001f3fd "
            "\U0001f1e7\U0001f1e9 1\ufe0f\u20e3 \u2764\ufe0f",
            [
                ("\U0001f468\u200d\U0001f469\u200d\U0001f467", SpanKind.EMOJI),
                ("\U0001f44d\U0001f3fd", SpanKind.EMOJI),
                ("\U0001f1e7\U0001f1e9", SpanKind.EMOJI),
                ("1\ufe0f\u20e3", SpanKind.EMOJI),
                ("\u2764\ufe0f", SpanKind.EMOJI),
            ],
        ),
    ],
)
def test_spans_are_found_with_their_kind(text, expected):
    assert spans(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "It costs $5 and $10.",
        "a < b and c > d",
        "[1]",
        "[\u0660.\u0661, \u0660.\u0662]",  # digits of Arabic: a box is written in ASCII
        "5 * 3 # 4",
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",  # joiners are letters' business too
        "[see below]",
        "50% sure",
        "红色。",
        "لال۔",
        "",
    ],
)
def test_plain_text_holds_no_span(text):
    assert protected_spans(text) == []


def test_offsets_cut_the_span_out_of_the_text():
    text = "見て<image>と[0.1, 0.2]"
    assert [text[span.start : span.end] for span in protected_spans(text)] == [
        "<image>",
        "[0.1, 0.2]",
    ]


def test_lost_and_invented_spans_are_named():
    found = span_difference("<image> {a} {a} https://x.org", "{a} <b>")
    assert found.missing == ("<image>", "{a}", "https://x.org")
    assert found.extra == ("<b>",)


def test_a_changed_order_is_no_difference():
    assert not span_difference("{a} is at [1, 2]", "[1, 2] میں {a}")


def test_a_box_with_native_digits_is_a_lost_box():
    assert span_difference("[0.25, 0.5]", "[০.২৫, ০.৫]").missing == ("[0.25, 0.5]",)


def test_what_is_left_is_language():
    assert without_protected("见 https://a.org 和 `x`。") == "见   和  。"


def test_the_rough_look_misses_no_picture():
    pictures = regex.compile(r"[\p{Extended_Pictographic}\p{RI}\u20e3--[#*0-9]]", regex.V1)
    missed = [
        chr(code)
        for code in range(0x80, 0x110000)
        if pictures.match(chr(code)) and not _ROUGH_HINT.match(chr(code))
    ]
    assert missed == []
