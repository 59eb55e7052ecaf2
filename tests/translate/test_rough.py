import pytest

from translate.rough import rough


@pytest.mark.parametrize(
    ("text", "careless"),
    [
        ("有两颗星，一个圆。", "有两颗星,一个圆"),
        ("これは何ですか？", "これは何ですか?"),
        ("كم نجمة، وأين؟", "كم نجمة, وأين?"),
        ("دو۔ تین۔", "دو. تین"),
        ("दो हैं।", "दो हैं"),
        ("¿Qué es?", "Qué es?"),
        ("Où est-il\u00a0? Ici !", "Où est-il? Ici!"),
        ("Чёрный.", "Чёрный"),
        ("- un cercle\n- <x1>.", "- un cercle\n- <x1>"),
        ("3.5", "3.5"),
        (".", "."),
    ],
)
def test_marks_become_careless_and_words_stay(text, careless):
    assert rough(text) == careless
