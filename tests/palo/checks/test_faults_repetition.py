"""Loops are found in spaced and unspaced scripts, and in about linear time."""

import random
import re
import time
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

import palo.checks.faults
from palo.checks.faults import repeated_phrase


@pytest.mark.parametrize(
    ("text", "phrase"),
    [
        ("the cat the cat the cat sat", "the cat"),
        ("red ball red ball red ball", "red ball"),
        ("红色的球红色的球红色的球", "红色的球"),
        ("赤い球です。赤い球です。赤い球です。", "赤い球です。"),
        ("وہ سرخ ہے۔ وہ سرخ ہے۔ وہ سرخ ہے۔ ", "وہ سرخ ہے۔"),
        ("लाल है। लाल है। लाल है। ", "लाल है।"),
        ("লাল। লাল। লাল। লাল। ", "লাল।"),
        ("哈哈哈哈哈哈哈哈哈", "哈哈哈"),
        ("xyxyxyxyxyxyxy", "xyxy"),
    ],
)
def test_a_phrase_three_times_in_a_row_is_found(text, phrase):
    assert repeated_phrase(text) == phrase


@pytest.mark.parametrize(
    "text",
    [
        "the cat, the cat and a dog",
        "红色的球和红色的方块",
        "no no yes no no",
        "哈哈哈",
        "--------------------",
        "|---|---|---|---|",
        "1, 2, 3, 4, 5, 6",
        "",
    ],
)
def test_what_people_write_is_no_loop(text):
    assert repeated_phrase(text) is None


def test_it_agrees_with_the_plain_definition_on_random_text():
    plain = re.compile(r"(.{3,}?)\1{2,}", re.DOTALL)
    random.seed(3)
    texts = ["".join(random.choices("ab ", k=random.randint(9, 40))) for _ in range(3000)]
    loops = [
        any(map(str.isalpha, found.group(1))) for t in texts if (found := plain.search(t + " "))
    ]
    assert sum(repeated_phrase(text) is not None for text in texts) == sum(loops)
    assert sum(loops) > 40


def test_a_long_text_takes_no_longer_than_its_length():
    random.seed(3)
    text = "".join(random.choices("абвгдежз ", k=200_000))
    start = time.perf_counter()
    assert repeated_phrase(text) is None
    assert time.perf_counter() - start < 5  # the plain definition would take hours


@given(st.text("ab ", max_size=60))
def test_the_quick_look_at_short_texts_misses_no_loop(text):
    quick = repeated_phrase(text)
    with patch.object(palo.checks.faults, "_SHORT_CHARS", 0):
        assert repeated_phrase(text) == quick
