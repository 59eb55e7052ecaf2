"""A translation is whole: it says something, has a usual length, an end, its numbers and words."""

import pytest

from refine.filters import shipped
from refine.filters.completeness import (
    empty,
    length,
    lexicon,
    numbers,
    punctuation,
    unfinished,
)


@pytest.mark.parametrize("target", ["", "  \n", "。", "۔", "।", "<image>\n"])
def test_nothing_is_rejected(look, target):
    assert look(empty, "Two.", target) == ("reject", "the translation is empty")


@pytest.mark.parametrize(
    ("source", "target"), [("Two.", "二"), ("Two.", "२"), ("Two.", "د"), ("...", ""), ("", "")]
)
def test_something_or_nothing_to_say_passes(look, source, target):
    assert look(empty, source, target) is None


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
    assert look(length, ENGLISH, target, lang) is None
    verdict, reason = look(length, ENGLISH, target[: len(target) // 3], lang)
    assert verdict in ("review", "reject")
    assert reason.startswith("too short")


def test_rambling_is_rejected(look):
    verdict, reason = look(length, ENGLISH, "دائرہ سرخ ہے۔ " * 40)
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
    assert look(length, source, target, lang) is None


DOGS = "The two dogs are running after a red ball on the grass."


@pytest.mark.parametrize(
    ("target", "lang"),
    [
        ("Les deux chiens courent après", "fr"),
        ("دو کتے گھاس پر ایک", "ur"),
        ("两只狗正在草地", "zh"),
    ],
)
def test_a_text_that_stops_short_without_a_mark_asks_for_review(look, target, lang):
    verdict, reason = look(unfinished, DOGS, target, lang)
    assert verdict == "review"
    assert reason.startswith("no mark at the end, ")


@pytest.mark.parametrize(
    ("source", "target"),
    [
        (DOGS, "Les deux chiens courent après une balle rouge sur l'herbe."),
        (DOGS, "Les deux chiens courent après une balle rouge sur l'herbe"),
        (DOGS, "Les deux chiens courent."),
        ("two dogs and a ball on the grass", "deux chiens"),
        ("Red.", "Rouge"),
    ],
)
def test_whole_texts_labels_and_short_answers_pass(look, source, target):
    assert look(unfinished, source, target, "fr") is None


def test_an_open_bracket_at_the_end_asks_for_review(look):
    target = "Les deux chiens (un brun et un blanc) courent après une balle (rouge sur"
    assert look(unfinished, DOGS, target, "fr") == (
        "review",
        "no mark at the end, and a bracket left open",
    )


@pytest.mark.parametrize(
    ("target", "lang"),
    [
        ("红色。", "zh"),
        ("لال۔", "ur"),
        ("لال ہے؟", "ur"),
        ("أحمر.", "ar"),
        ("लाल।", "hi"),
        ("लाल.", "hi"),
        ("লাল।", "bn"),
        ("Rouge !", "fr"),
        ("「赤。」", "ja"),
    ],
)
def test_the_languages_own_mark_passes(look, target, lang):
    assert look(punctuation, "Red.", target, lang) is None


@pytest.mark.parametrize(
    ("target", "lang", "reason"),
    [
        ("红色", "zh", "no mark at the end"),
        ("红色.", "zh", "ends with '.'"),
        ("لال.", "ur", "ends with '.'"),
        ("লাল.", "bn", "ends with '.'"),
        ("Rouge", "fr", "no mark at the end"),
    ],
)
def test_another_mark_or_none_is_noted(look, target, lang, reason):
    assert look(punctuation, "Red.", target, lang) == ("note", reason)


def test_a_source_without_a_mark_asks_for_none(look):
    assert look(punctuation, "red", "红色", "zh") is None


@pytest.mark.parametrize(
    ("source", "target", "lang"),
    [
        ("20 birds", "২০টি পাখি", "bn"),
        ("20 birds", "२० पक्षी", "hi"),
        ("20 birds", "۲۰ پرندے", "ur"),
        ("20 birds", "٢٠ طائرًا", "ar"),
        ("1,000 birds", "1\u202f000 oiseaux", "fr"),
        ("1,000.5 m", "1.000,5 m", "es"),
        ("two birds", "2羽の鳥", "ja"),
        ("at [0.25, 0.5]", "在[0.25, 0.5]", "zh"),
    ],
)
def test_the_same_number_in_other_clothes_passes(look, source, target, lang):
    assert look(numbers, source, target, lang) is None


def test_a_missing_number_is_noted(look):
    assert look(numbers, "20 and 3 birds", "20只鸟", "zh") == ("note", "numbers missing: 3")
    assert look(numbers, "20 birds", "二十只鸟", "zh")[0] == "note"


BOOKS = "My father did not buy the three books yesterday."


def test_the_translation_of_another_sentence_asks_for_review(look):
    verdict, reason = look(lexicon, BOOKS, "Le train arrive à huit heures.", "fr")
    assert verdict == "review"
    assert reason == "nothing says: my, father, not, buy"


def test_a_translation_passes_and_so_does_english_itself(look):
    true = "Mon père n'a pas acheté les trois livres hier."
    assert look(lexicon, BOOKS, true, "fr") is None
    assert look(lexicon, BOOKS, "Trains.", "en") is None


def test_the_cut_is_a_matter_of_the_bands(look):
    bands = {"fr": shipped()["fr"].model_copy(update={"lexicon_score": -100.0})}
    assert look(lexicon.by(bands), BOOKS, "Le train arrive à huit heures.", "fr") is None
