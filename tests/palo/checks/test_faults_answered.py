import pytest

from palo.checks.faults import answered

QUESTION = "What colour is the bus?"


@pytest.mark.parametrize(
    ("text", "lang"),
    [
        ("公交车是红色的吗", "zh"),
        ("De quelle couleur est le bus ?", "fr"),
        ("¿De qué color es el autobús?", "es"),
        ("Какого цвета автобус?", "ru"),
        ("バスの色は赤いですか。", "ja"),
        ("هل الحافلة حمراء.", "ar"),
        ("क्या बस लाल है।", "hi"),
        ("বাসটির রং কী?", "bn"),
        ("اچھا، کیا بس لال ہے۔", "ur"),
    ],
)
def test_a_question_stays_one_even_without_its_mark(text, lang):
    assert not answered(QUESTION, text, lang)


@pytest.mark.parametrize(
    ("text", "lang"),
    [
        ("公交车是红色的。", "zh"),
        ("Le bus est rouge.", "fr"),
        ("Je sais que le bus est rouge.", "fr"),
        ("El autobús es rojo.", "es"),
        ("Автобус красный.", "ru"),
        ("バスは赤です。", "ja"),
        ("バスの色は何か分かりません。", "ja"),
        ("الحافلة حمراء.", "ar"),
        ("बस लाल है।", "hi"),
        ("বাসটি লাল।", "bn"),
        ("بس لال ہے۔", "ur"),
    ],
)
def test_an_answer_in_place_of_a_question_is_found(text, lang):
    assert answered(QUESTION, text, lang)
    assert not answered("The bus is red.", text, lang)
