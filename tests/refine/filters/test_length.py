"""Lengths are judged by bands of gold text, wide for short answers."""

import pytest

from refine.filters.length import LengthFilter

ENGLISH = "The circle in the middle of the picture is red, and the square beside it is blue."


@pytest.mark.parametrize(
    ("target", "lang"),
    [
        ("图片中间的圆是红色的，旁边的正方形是蓝色的。", "zh"),
        ("画像の中央にある円は赤で、その隣にある正方形は青です。", "ja"),
        ("الدائرة في وسط الصورة حمراء، والمربع بجانبها أزرق.", "ar"),
        ("तस्वीर के बीच में वृत्त लाल है और उसके बगल में वर्ग नीला है।", "hi"),
        ("ছবির মাঝখানের বৃত্তটি লাল এবং তার পাশের বর্গক্ষেত্রটি নীল।", "bn"),
        ("تصویر کے بیچ میں دائرہ سرخ ہے اور اس کے ساتھ والا مربع نیلا ہے۔", "ur"),
    ],
)
def test_a_whole_translation_passes_and_a_third_of_it_does_not(look, target, lang):
    assert look(LengthFilter(), ENGLISH, target, lang) is None
    verdict, reason = look(LengthFilter(), ENGLISH, target[: len(target) // 3], lang)
    assert verdict in ("review", "reject")
    assert reason.startswith("too short")


def test_rambling_is_rejected(look):
    verdict, reason = look(LengthFilter(), ENGLISH, "دائرہ سرخ ہے۔ " * 40)
    assert (verdict, reason[:9]) == ("reject", "too long:")


@pytest.mark.parametrize(
    ("source", "target", "lang"),
    [
        ("Two.", "二", "zh"),
        ("Red.", "红色。", "zh"),
        ("No.", "いいえ。", "ja"),
        ("Two.", "Dos.", "es"),
    ],
)
def test_short_answers_pass(look, source, target, lang):
    assert look(LengthFilter(), source, target, lang) is None
