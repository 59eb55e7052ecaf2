import pytest

from train.evaluation.judge import Fault, read_scores


@pytest.mark.parametrize(
    "reply",
    [
        "8 6.5",
        "8 6.5\nThe first one is better.",
        "\n\n  8   6.5  \n",
        "8, 6.5",
        "8,6.5\r\nWhy: 3 4",
        "8.0 6.5.",
        "８ ６.５\n理由",  # full-width digits and blank
        "８，６．５",
        "٨ 6.5",  # Arabic-Indic
        "८ ६.५",  # Devanagari
    ],
)
def test_two_numbers_alone_on_the_first_line_are_scores(reply):
    assert read_scores(reply) == (8, 6.5)


@pytest.mark.parametrize(
    ("reply", "fault"),
    [
        ("", Fault.EMPTY),
        (" \n\t\n", Fault.EMPTY),
        ("I cannot rate these answers.", Fault.PROSE),
        ("Scores: 8 6", Fault.PROSE),
        ("8 and 6", Fault.PROSE),
        ("8/10 6/10", Fault.PROSE),
        ("**8 6**", Fault.PROSE),
        ("Here are the scores.\n8 6", Fault.PROSE),
        ("8 -6", Fault.COUNT),
        ("8", Fault.COUNT),
        ("8 6 7", Fault.COUNT),
        ("8, 6, 7\nthree of them", Fault.COUNT),
        ("8 11", Fault.RANGE),
        ("0 6", Fault.RANGE),
        ("0.5 6", Fault.RANGE),
        ("10.5 6", Fault.RANGE),
        ("１１ ６", Fault.RANGE),
        ("8.3 6", Fault.STEP),
        ("8 6.75", Fault.STEP),
    ],
)
def test_anything_else_gives_no_scores_and_says_why(reply, fault):
    assert read_scores(reply) is fault


def test_the_bounds_belong_to_the_scale():
    assert read_scores("1 10") == (1, 10)


def test_a_line_break_is_no_blank_between_two_scores():
    assert read_scores("8\n6") is Fault.COUNT
