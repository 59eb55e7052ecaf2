from itertools import product
from pathlib import Path

import numpy as np
import pytest

from train.evaluation.benchmark import Bootstrap, Score, score_of
from train.evaluation.judge import Item, Outcome


def pairs_of(*scores, lang_ok=True):
    """(model, reference) by question."""
    return [
        Outcome(Item("en", str(n), "conv", "", Path(), "", "", ""), "", lang_ok, model, reference)
        for n, (model, reference) in enumerate(scores)
    ]


def test_the_score_is_the_ratio_of_means_not_the_mean_of_ratios():
    # (2 + 9) / (4 + 10), where the ratios' mean would be 70
    assert score_of(pairs_of((2, 4), (9, 10))) == pytest.approx(100 * 11 / 14)


def test_the_interval_of_two_questions_is_that_of_their_three_possible_resamples():
    # twice the first: 50; twice the second: 90; one of each: 11/14. Each end has weight 1/4.
    found = Bootstrap(["0", "1"], 2000, 7).mean({"en": pairs_of((2, 4), (9, 10))})
    assert found == Score(pytest.approx(1100 / 14), pytest.approx(50), pytest.approx(90), 2)


def test_percentiles_are_those_of_all_resamples_there_are():
    """Three questions have 27 equally likely resamples; many draws must come near theirs."""
    scores = [(2, 4), (9, 10), (5, 8)]
    every = [
        100 * sum(scores[n][0] for n in drawn) / sum(scores[n][1] for n in drawn)
        for drawn in product(range(3), repeat=3)
    ]
    draws = Bootstrap(["0", "1", "2"], 200_000, 7)
    spread = np.sort(draws._ratios(pairs_of(*scores)))
    assert spread.mean() == pytest.approx(np.mean(every), abs=0.1)
    assert {*spread.round(6)} == {*np.round(every, 6)}


def test_equal_questions_leave_chance_nothing_to_move():
    found = Bootstrap(["0", "1", "2"], 1000, 7).mean({"en": pairs_of((6, 8), (6, 8), (6, 8))})
    assert (found.value, found.low, found.high) == (75, 75, 75)


def test_the_same_seed_draws_the_same_and_another_one_others():
    scored = pairs_of(*((n % 7 + 1, 9) for n in range(40)))
    ids = [one.item.question_id for one in scored]
    first, again, other = (Bootstrap(ids, 1000, seed).mean({"en": scored}) for seed in (7, 7, 8))
    assert first == again != other
    assert first.low < first.value < first.high


def test_a_language_s_question_is_drawn_with_its_fellow_in_the_others():
    """Scores that make up for each other question by question: their mean never moves."""
    up, down = pairs_of((2, 10), (8, 10)), pairs_of((8, 10), (2, 10))
    found = Bootstrap(["0", "1"], 1000, 7).mean({"en": up, "ur": down})
    assert found == Score(pytest.approx(50), pytest.approx(50), pytest.approx(50), 4)
    assert Bootstrap(["0", "1"], 1000, 7).mean({"en": up}).low == pytest.approx(20)


def test_the_mean_weighs_languages_alike_however_many_of_their_questions_count():
    many, few = pairs_of((5, 10), (5, 10), (5, 10)), pairs_of((10, 10))
    assert Bootstrap(["0", "1", "2"], 1000, 7).mean({"en": many, "ur": few}).value == 75


def test_a_resample_without_any_scored_question_is_left_out():
    found = Bootstrap(["0", "1"], 1000, 7).mean({"en": pairs_of((6, 8))})
    assert found == Score(75, 75, 75, 1)


def test_nothing_scored_is_no_score():
    draws = Bootstrap(["0"], 1000, 7)
    assert draws.mean({"en": []}) is None
    assert draws.mean({"en": pairs_of((6, 8)), "ur": []}) is None
