"""Refusals are found in ten languages, and apologies that the source makes are not."""

import pytest

from palo.checks.faults import refusal


@pytest.mark.parametrize(
    ("lang", "target"),
    [
        ("ur", "I'm sorry, but I can't help with that."),
        ("zh", "对不起，我无法翻译这段文字。"),
        ("fr", "Je suis désolé, mais je ne peux pas."),
        ("es", "Lo siento, no puedo ayudar con eso."),
        ("ru", "Извините, но я не могу это перевести."),
        ("ja", "申し訳ありませんが、翻訳できません。"),
        ("ar", "عذرًا، لا أستطيع ترجمة هذا النص."),
        ("hi", "क्षमा करें, मैं इसका अनुवाद नहीं कर सकता।"),
        ("bn", "দুঃখিত, আমি এটি অনুবাদ করতে পারি না।"),
        ("ur", "معذرت، میں ترجمہ نہیں کر سکتا۔"),
    ],
)
def test_a_refusal_is_found(lang, target):
    assert refusal("What colour is the circle?", target, lang) is not None


def test_a_source_that_is_sorry_itself_may_be_translated():
    assert refusal("I'm sorry, but I cannot see it.", "对不起，我无法看到。", "zh") is None


def test_a_refusal_far_inside_is_somebodys_speech():
    scene = "图中的人站在门口，看着外面的街道，街上有很多车和行人，他手里拿着一封信，"
    target = scene + "上面写着几行很小的字，他说：对不起，我不能来。"
    assert refusal("The man says he cannot come.", target, "zh") is None
