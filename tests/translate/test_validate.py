import pytest

from palo.engines.stream import Result
from translate.segments import cut
from translate.validate import Problem, find_problem

SENTENCE = "The picture shows a big red circle and two small stars."


def problem(source, text, lang="fr", finish_reason="stop", error=""):
    return find_problem(cut(source), Result("t", text, finish_reason, None, error=error), lang)


@pytest.mark.parametrize(
    ("source", "text", "lang"),
    [
        ("Two.", "दो।", "hi"),
        ("No.", "No.", "es"),
        ("NASA", "NASA", "ru"),
        ("Wi-Fi <tag>", "Wi-Fi <x1>", "ar"),
        ("See https://a.b/c now.", "<x1> を見てください。", "ja"),
        ("Two, two, two, two!", "Deux, deux, deux, deux !", "fr"),
        (SENTENCE, "图片显示一个大红圆和两颗小星星。", "zh"),
        (SENTENCE, "تُظهر الصورة دائرة حمراء كبيرة ونجمتين صغيرتين.", "ar"),
        (SENTENCE, "ছবিতে একটি বড় লাল বৃত্ত ও দুটি ছোট তারা আছে।", "bn"),
    ],
)
def test_good_answers_pass(source, text, lang):
    assert problem(source, text, lang) is None


@pytest.mark.parametrize(
    ("text", "lang", "expected"),
    [
        ("", "fr", Problem.EMPTY),
        (" \n ", "fr", Problem.EMPTY),
        (SENTENCE, "fr", Problem.ECHO),
        (SENTENCE.upper(), "es", Problem.ECHO),
        ("The image has a large red circle in it.", "ur", Problem.SCRIPT),
        ("На картинке большой круг.", "fr", Problem.SCRIPT),
        ("I'm sorry, but I can't help with that.", "fr", Problem.REFUSAL),
        ("un cercle un cercle un cercle un cercle un cercle", "fr", Problem.LOOP),
        ("紅い円、紅い円、紅い円、紅い円、紅い円、", "ja", Problem.LOOP),
        ("Voilà une image. " + " ".join(f"mot{at}" for at in range(99)), "fr", Problem.LENGTH),
        ("The image has a large red circle in it.", "es", Problem.LANGUAGE),
        ("La imagen muestra un gran círculo rojo y dos estrellas.", "fr", Problem.LANGUAGE),
        ("تصویر میں ایک بڑا سرخ دائرہ اور دو چھوٹے ستارے ہیں۔", "ar", Problem.LANGUAGE),
        ("图片显示一个大红圆和两颗小星星，还有一个小小的蓝色三角形。", "ja", Problem.LANGUAGE),
        ("Here is the translation: un grand cercle rouge.", "fr", Problem.PREAMBLE),
        ("Un grand cercle rouge.<|im_end|>", "fr", Problem.LEAKED),
    ],
)
def test_what_is_wrong_with_an_answer_is_named(text, lang, expected):
    assert problem(SENTENCE, text, lang) is expected


def test_a_question_that_was_answered_is_not_translated():
    assert problem("How many stars are there?", "Il y a deux étoiles.") is Problem.ANSWERED
    assert problem("How many stars are there?", "Combien y a-t-il d'étoiles ?") is None


@pytest.mark.parametrize(("lang", "text"), [("fr", "Une image."), ("zh", "一图。")])
def test_a_few_words_for_a_long_text_are_absurdly_short(lang, text):
    assert problem(SENTENCE * 2, text, lang) is Problem.LENGTH
    assert problem("A picture.", text, lang) is None


def test_an_answer_that_ran_into_its_limit_is_truncated():
    assert problem(SENTENCE, "L'image montre un", finish_reason="length") is Problem.TRUNCATED


def test_an_engines_error_comes_first():
    assert problem(SENTENCE, "", finish_reason="error", error="too long") is Problem.ENGINE


@pytest.mark.parametrize("text", ["Voir.", "Voir <x1> et <x1>.", "Voir <x2>."])
def test_lost_or_doubled_placeholder_is_found(text):
    assert problem("See https://a.b/c.", text) is Problem.PLACEHOLDER


def test_the_best_of_bad_attempts_is_the_one_nearest_to_a_translation():
    assert Problem.EMPTY.rank < Problem.SCRIPT.rank < Problem.TRUNCATED.rank
    assert Problem.PLACEHOLDER.rank == max(problem.rank for problem in Problem)
