from pathlib import Path

from palo.languages import LANGUAGES
from palo.settings import AnswerEngine, BenchRunSettings
from tests.train.conftest import make_scale
from tests.train.evaluation.conftest import save_tiny
from train.evaluation import held_out
from train.evaluation.held_out import EXAMPLES_PER_LANGUAGE, report, shuffled_images
from train.evaluation.judge import Item, Outcome

FORMS = {"colour": ("Red.", "Blue."), "count": ("Two.", "Three.")}


def make_questions(count=8):
    """By language, then in their order."""
    kinds = [("colour", "count")[n % 2] for n in range(count)]
    forms = [FORMS[kind][n % 4 // 2] for n, kind in enumerate(kinds)]
    return [
        Item(
            *(str(lang), str(n), kinds[n], f"{lang} {n}", Path(f"{n // 2}.jpg"), "", ""),
            *(forms[n], (forms[n],), bool(n % 2)),
        )
        for lang in LANGUAGES
        for n in range(count)
    ]


def said(questions, text=None, in_language=lambda lang: True):
    return [
        Outcome(one, one.reference if text is None else text, in_language(one.lang))
        for one in questions
    ]


def test_every_question_gets_another_samples_image_and_each_image_is_used_as_often():
    questions = make_questions()
    shuffled = shuffled_images(questions, 7)
    assert all(image != one.image for image, one in zip(shuffled, questions, strict=True))
    assert sorted(shuffled) == sorted(one.image for one in questions)
    assert shuffled == shuffled_images(questions, 7)


def test_the_report_of_a_model_that_sees_and_cannot_guess():
    questions = make_questions()
    blind = said(questions, "Red.")
    result = report("7b", said(questions, in_language=lambda lang: lang != "ur"), blind)
    assert result["scale"] == "7b"
    assert list(result["languages"]) == [str(lang) for lang in LANGUAGES]
    assert result["languages"]["hi"] == {
        "questions": 4,
        "accuracy": 1.0,
        "accuracy_shuffled": 0.5,
        "chance": 0.5,
        "reasoning": 1.0,
        "fidelity": 1.0,
    }
    assert result["languages"]["ur"]["fidelity"] == 0.0
    assert result["mean"]["fidelity"] == 0.9
    assert result["mean"]["questions"] == 40
    assert result["by_kind"] == {
        "colour": {"questions": 40, "accuracy": 1.0, "accuracy_shuffled": 0.5},
        "count": {"questions": 40, "accuracy": 1.0, "accuracy_shuffled": 0.0},
    }


def test_reasoning_is_measured_apart():
    questions = make_questions()
    answered = [
        Outcome(one.item, "?", True) if one.item.reasoning else one for one in said(questions)
    ]
    result = report("7b", answered, said(questions, ""))
    assert (result["mean"]["accuracy"], result["mean"]["reasoning"]) == (1.0, 0.0)
    assert result["by_kind"]["count"]["accuracy"] == 0.0


def test_where_nothing_takes_reasoning_it_is_unknown_not_zero():
    questions = [one for one in make_questions() if not one.reasoning]
    result = report("7b", said(questions), said(questions))
    assert (result["mean"]["accuracy"], result["mean"]["reasoning"]) == (1.0, None)
    assert result["languages"]["hi"]["reasoning"] is None


def test_examples_show_image_question_expected_and_answer():
    questions = make_questions(40)
    result = report("7b", said(questions), said(questions, ""))
    assert len(result["examples"]) == EXAMPLES_PER_LANGUAGE * len(LANGUAGES)
    assert result["examples"][0] == {
        "image": "0.jpg",
        "lang": "en",
        "kind": "colour",
        "question": "en 0",
        "expected": ["Red."],
        "answer": "Red.",
        "correct": True,
    }


def test_held_out_questions_go_through_the_engine_that_is_asked_for(profile, monkeypatch):
    save_tiny(profile)
    opened = []

    class Yes:
        def answer(self, asked, tick):
            return ["Yes." for _ in asked]

        def __enter__(self):
            return self

        def __exit__(self, *unused):
            pass

    def open_it(engine, settings, max_new_tokens, folder):
        opened.append((engine, max_new_tokens, folder))
        return Yes()

    monkeypatch.setattr("train.evaluation.answerers.open_answerer", open_it)
    result = held_out.evaluate_scale(make_scale("7b"), profile, AnswerEngine.VLLM)
    folder = profile.paths.checkpoint("7b")
    assert opened == [(AnswerEngine.VLLM, 64, folder)]
    assert result["languages"]["ur"]["fidelity"] == 0
    # a bench's settings decide nothing here: what was measured stays up to date
    bench = BenchRunSettings(max_new_tokens=5)
    changed = profile.evaluate.model_copy(update={"bench": bench})
    again = held_out.evaluate_scale(
        make_scale("7b"), profile.model_copy(update={"evaluate": changed})
    )
    assert again == result and len(opened) == 1
