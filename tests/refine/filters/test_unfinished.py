import pytest

from refine.filters.unfinished import UnfinishedFilter

ENGLISH = "The two dogs are running after a red ball on the grass."


@pytest.mark.parametrize(
    ("target", "lang"),
    [
        ("Les deux chiens courent après", "fr"),
        ("دو کتے گھاس پر ایک", "ur"),
        ("两只狗正在草地", "zh"),
    ],
)
def test_a_text_that_stops_short_without_a_mark_asks_for_review(look, target, lang):
    verdict, reason = look(UnfinishedFilter(), ENGLISH, target, lang)
    assert verdict == "review"
    assert reason.startswith("no mark at the end, ")


@pytest.mark.parametrize(
    ("source", "target"),
    [
        (ENGLISH, "Les deux chiens courent après une balle rouge sur l'herbe."),
        (ENGLISH, "Les deux chiens courent après une balle rouge sur l'herbe"),
        (ENGLISH, "Les deux chiens courent."),
        ("two dogs and a ball on the grass", "deux chiens"),
        ("Red.", "Rouge"),
    ],
)
def test_whole_texts_labels_and_short_answers_pass(look, source, target):
    assert look(UnfinishedFilter(), source, target, "fr") is None


def test_an_open_bracket_at_the_end_asks_for_review(look):
    target = "Les deux chiens (un brun et un blanc) courent après une balle (rouge sur"
    assert look(UnfinishedFilter(), ENGLISH, target, "fr") == (
        "review",
        "no mark at the end, and a bracket left open",
    )
