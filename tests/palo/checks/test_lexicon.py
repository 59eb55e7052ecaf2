import pytest

from palo.checks.lexicon import agreement, count_weights, languages, notions
from palo.languages import TARGETS

ENGLISH = "My father did not buy the three books yesterday."
TRUE = {
    "zh": "我父亲昨天没有买那三本书。",
    "fr": "Mon père n'a pas acheté les trois livres hier.",
    "es": "Mi padre no compró los tres libros ayer.",
    "ru": "Мой отец вчера не купил три книги.",
    "ja": "父は昨日その本を三冊買わなかった。",
    "ar": "لم يشتر أبي الكتب الثلاثة أمس.",
    "hi": "मेरे पिता ने कल तीन किताबें नहीं खरीदीं।",
    "bn": "আমার বাবা গতকাল তিনটি বই কেনেননি।",
    "ur": "میرے والد نے کل تین کتابیں نہیں خریدیں۔",
}
OTHER = {
    "zh": "火车八点到。",
    "fr": "Le train arrive à huit heures.",
    "es": "El tren llega a las ocho.",
    "ru": "Поезд прибывает в восемь.",
    "ja": "電車は八時に着く。",
    "ar": "يصل القطار في الثامنة.",
    "hi": "रेलगाड़ी आठ बजे आती है।",
    "bn": "ট্রেন আটটায় আসে।",
    "ur": "ریل گاڑی آٹھ بجے آتی ہے۔",
}


def test_every_target_language_has_its_column():
    assert sorted(languages()) == sorted(map(str, TARGETS))


@pytest.mark.parametrize("lang", TARGETS)
def test_a_translation_agrees_and_another_sentence_does_not(lang):
    assert agreement(ENGLISH, TRUE[lang], lang)[0] > 1
    score, missing = agreement(ENGLISH, OTHER[lang], lang)
    assert score < -1
    assert "father" in missing


def test_a_text_without_common_words_says_nothing():
    assert agreement("Photosynthesis.", "Фотосинтез.", "ru") == (0.0, [])


def test_notions_keep_the_word_that_stands_for_them():
    assert "doesn't" in notions("He doesn’t know.").values()


def test_weights_are_counted_from_pairs():
    met = [("My father is here.", "Mon père est ici.")] * 10
    other = [("It rains.", "Il pleut.")] * 30
    row = next(iter(notions("father")))
    weight = count_weights([*met, *other], "fr")[row]
    # found in 12 of 12.6, by chance in 10 of 40
    assert (weight.found, weight.missing) == (1.34, -2.76)
