"""The ten languages, and what a person may type for them."""

import pytest
import regex

from palo.errors import UserError
from palo.languages import LANGUAGES, TARGETS, Language, info, parse_languages

CODES = "ar bn es fr hi ja ru ur zh"


def test_there_are_ten_languages_and_nine_targets():
    assert sorted(LANGUAGES) == ["ar", "bn", "en", "es", "fr", "hi", "ja", "ru", "ur", "zh"]
    assert " ".join(sorted(TARGETS)) == CODES


def test_arabic_and_urdu_run_from_right_to_left():
    assert [row.code for row in LANGUAGES.values() if row.right_to_left] == ["ar", "ur"]


def test_chinese_and_japanese_put_no_spaces_between_words():
    assert [row.code for row in LANGUAGES.values() if not row.spaced] == ["zh", "ja"]


@pytest.mark.parametrize("row", LANGUAGES.values(), ids=list(LANGUAGES))
def test_native_names_are_written_in_the_scripts_of_their_language(row):
    allowed = "".join(rf"\p{{Script={script}}}" for script in row.scripts)
    assert regex.fullmatch(rf"[{allowed}\p{{M}}]+", row.native_name)
    assert row.final_marks


def test_info_takes_a_plain_string():
    assert info("ur").name == "Urdu"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ur", ["ur"]),
        ("UR", ["ur"]),
        ("ur,fr", ["fr", "ur"]),
        (" ur , fr,ur ", ["fr", "ur"]),
        ("ur fr", ["fr", "ur"]),
        ("all", list(TARGETS)),
        ("fr,all", list(TARGETS)),
    ],
)
def test_languages_come_in_table_order_each_once(text, expected):
    assert list(parse_languages(text)) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("urd", f"Unknown language 'urd'. Did you mean 'ur'? Languages: {CODES}"),
        ("fr,hindi", f"Unknown language 'hindi'. Did you mean 'hi'? Languages: {CODES}"),
        ("Chinese", f"Unknown language 'chinese'. Did you mean 'zh'? Languages: {CODES}"),
        ("zh-cn", f"Unknown language 'zh-cn'. Did you mean 'zh'? Languages: {CODES}"),
        ("qqq", f"Unknown language 'qqq'. Languages: {CODES}"),
        ("en", f"'en' is the source language. Targets: {CODES}"),
        ("", f"No language given. Use one of {CODES}, or all."),
        (" , ", f"No language given. Use one of {CODES}, or all."),
    ],
)
def test_a_wrong_language_is_explained(text, message):
    with pytest.raises(UserError) as raised:
        parse_languages(text)
    assert str(raised.value) == message


def test_a_language_is_its_code():
    assert Language("ur") == "ur" and f"{Language.UR}" == "ur"
