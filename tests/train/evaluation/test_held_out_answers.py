import pytest

from palo.errors import UserError
from palo.languages import LANGUAGES
from train.evaluation.held_out import (
    accuracy,
    chance,
    is_right,
    language_judge,
    normalise,
    parse_questions,
)
from train.evaluation.judge import Outcome


def row(question_id, kind, answers):
    every = {lang: ["?"] for lang in LANGUAGES}
    asked = {str(lang): f"q{lang}" for lang in LANGUAGES}
    return {
        "id": question_id,
        "image": f"{question_id}.jpg",
        "kind": kind,
        "questions": asked,
        "answers": {**every, **answers},
    }


def of(questions, lang):
    return [one for one in questions if one.lang == lang]


@pytest.fixture
def questions(tmp_path):
    rows = [
        row("1", "colour", {"en": ["Red.", "It is red."], "ur": ["سرخ۔"]}),
        row("2", "colour", {"en": ["Red."], "ur": ["سرخ۔"]}),
        row("3", "colour", {"en": ["Blue."], "ur": ["نیلا۔"]}),
        row("4", "count", {"en": ["Two."], "ur": ["دو۔"]}),
    ]
    return parse_questions(rows, tmp_path)


@pytest.mark.parametrize(
    ("text", "accepted", "lang", "right"),
    [
        ("Red", "Red.", "en", True),
        (" Red . ", "Red.", "en", True),
        ("red.", "Red.", "en", False),
        ("Red. Blue.", "Red.", "en", False),
        ("两个", "两个。", "zh", True),
        ("دو۔", "دو", "ur", True),
        ("लाल।", "लाल.", "hi", True),
        ("cafe\u0301.", "caf\u00e9", "fr", True),
        ("", "Red.", "en", False),
        ("सड\u093c", "स\u095c", "hi", True),
    ],
)
def test_answers_are_compared_exactly_up_to_form_blanks_and_final_mark(text, accepted, lang, right):
    assert is_right(text, [accepted], lang) is right


def test_normalise_keeps_marks_inside():
    assert normalise("¿Sí?  No. ", "es") == "¿Sí? No"


def test_chance_is_the_share_of_the_commonest_answer_of_each_kind(questions):
    assert chance(of(questions, "en")) == (2 + 1) / 4


def test_accuracy_counts_every_accepted_form(questions):
    said = ["It is red.", "Blue.", "Blue", "three"]
    asked = of(questions, "en")
    answered = [Outcome(one, text, True) for one, text in zip(asked, said, strict=True)]
    assert accuracy(answered) == 0.5


def test_known_forms_are_in_their_language_silence_in_none_and_others_are_detected(questions):
    asked = []

    def detect(text, lang):
        asked.append(text)
        return text.startswith("ok")

    judge = language_judge(questions, detect)
    said = ["نیلا", "Red.", "ok", ""]
    assert [judge(text, "ur") for text in said] == [True, False, True, False]
    assert asked == ["Red.", "ok"]


def test_a_question_without_an_answer_is_refused(tmp_path):
    bad = row("1", "colour", {})
    bad["answers"]["bn"] = []
    with pytest.raises(UserError, match=r"Question 1 of the questions file lacks an answer\."):
        parse_questions([bad], tmp_path)


def test_a_question_without_a_language_is_refused(tmp_path):
    bad = row("1", "colour", {})
    del bad["answers"]["bn"]
    with pytest.raises(UserError, match=r"Question 1 of the questions file lacks .*bn"):
        parse_questions([bad], tmp_path)


def test_an_empty_questions_file_is_refused(tmp_path):
    with pytest.raises(UserError, match="empty"):
        parse_questions([], tmp_path)


def test_questions_that_all_take_reasoning_are_refused(tmp_path):
    rows = [row("1", "count", {}) | {"reasoning": True}]
    with pytest.raises(UserError, match=r"Every question .* `reasoning`"):
        parse_questions(rows, tmp_path)
