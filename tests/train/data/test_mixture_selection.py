import numpy as np
import pytest

from palo.errors import UserError
from palo.settings import MixtureWeights
from train.data.mixture import draw, expected_counts

LANGUAGES = ("en", "hi", "ur")
LANGS = np.repeat(np.array([0, 1, 2], dtype=np.uint8), [100, 10, 40])
ALL = np.ones(150, dtype=bool)
PLAIN = MixtureWeights()


def drawn(weights=PLAIN, usable=ALL, seed=3, epoch=0):
    return draw(LANGS, LANGUAGES, usable, weights, seed, epoch)


def times(order):
    return np.bincount(order, minlength=150)


def test_by_default_an_epoch_has_every_usable_conversation_once():
    usable = ALL.copy()
    usable[[0, 105, 149]] = False
    order = drawn(usable=usable)
    assert order.dtype == np.int64
    np.testing.assert_array_equal(times(order), usable.astype(int))
    assert expected_counts(LANGS, LANGUAGES, usable, PLAIN) == {"en": 99, "hi": 9, "ur": 39}


def test_the_order_is_shuffled_and_a_pure_function_of_seed_and_epoch():
    np.testing.assert_array_equal(drawn(), drawn())
    assert list(drawn()) != sorted(drawn())
    assert list(drawn()) != list(drawn(epoch=1))
    assert list(drawn()) != list(drawn(seed=4))
    assert drawn()[:5].tolist() == [30, 5, 135, 29, 132]  # NEP 19: these streams never change


def test_weights_repeat_and_thin_out_languages():
    weights = MixtureWeights(weights={"en": 0.25, "hi": 2.5, "ur": 0})
    assert expected_counts(LANGS, LANGUAGES, ALL, weights) == {"en": 25, "hi": 25, "ur": 0}
    seen = times(drawn(weights))
    assert (seen[:100].sum(), seen[:100].max()) == (25, 1)
    assert sorted(seen[100:110]) == [2] * 5 + [3] * 5
    assert not seen[110:].any()


def test_the_parts_of_following_epochs_complete_each_other():
    weights = MixtureWeights(weights={"en": 0.25, "hi": 0.3})
    epochs = [times(drawn(weights, epoch=epoch)) for epoch in range(4)]
    assert {one.sum() for one in epochs} == {25 + 3 + 40}
    assert list(sum(epochs)[:100]) == [1] * 100
    assert sum(epochs)[100:110].sum() == 12
    assert sum(epochs)[100:110].min() == 1  # once around, then from the start again
    assert list(epochs[0][:100]) != list(times(drawn(weights, seed=9))[:100])


def test_a_languages_part_does_not_hang_on_the_weights_of_others():
    one = drawn(MixtureWeights(weights={"en": 0.5}))
    other = drawn(MixtureWeights(weights={"en": 0.5, "ur": 2}))
    assert sorted(one[one < 100]) == sorted(other[other < 100])


@pytest.mark.parametrize("weight", [0.29, 0.57, 0.07, 1.1])
def test_counts_are_exact_where_the_weight_is(weight):
    counts = expected_counts(LANGS, LANGUAGES, ALL, MixtureWeights(weights={"en": weight}))
    assert counts["en"] == round(weight * 100)


def test_a_temperature_evens_languages_out_and_keeps_the_total():
    counts = expected_counts(LANGS, LANGUAGES, ALL, MixtureWeights(temperature=2))
    assert sum(counts.values()) == 150
    # 10 : 3.1623 : 6.3246 of 19.4868
    assert counts == {"en": 77, "hi": 24, "ur": 49}
    assert times(drawn(MixtureWeights(temperature=2)))[100:110].tolist().count(2) == 6
    same = expected_counts(LANGS, LANGUAGES, ALL, MixtureWeights(temperature=1))
    assert same == expected_counts(LANGS, LANGUAGES, ALL, PLAIN)
    even = expected_counts(LANGS, LANGUAGES, ALL, MixtureWeights(temperature=1e9))
    assert even == {"en": 50, "hi": 50, "ur": 50}
    most = expected_counts(LANGS, LANGUAGES, ALL, MixtureWeights(temperature=1e-3))
    assert most == {"en": 150, "hi": 0, "ur": 0}


def test_a_temperature_draws_nothing_of_a_language_without_usable_conversations():
    usable = LANGS != 1
    counts = expected_counts(LANGS, LANGUAGES, usable, MixtureWeights(temperature=5))
    assert counts["hi"] == 0
    assert sum(counts.values()) == 140


def test_weights_that_leave_nothing_are_an_error():
    nothing = MixtureWeights(weights=dict.fromkeys(LANGUAGES, 0.0))
    with pytest.raises(UserError, match="weights leave nothing to train on"):
        drawn(nothing)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"weights": {"urd": 2}}, "Unknown language 'urd'. Did you mean 'ur'?"),
        ({"weights": {"hi": -1}}, "weight -1.0 of 'hi' is not from 0 to 100"),
        ({"weights": {"hi": float("nan")}}, "weight nan of 'hi'"),
        ({"temperature": 0}, "greater than 0"),
        ({"weights": {"hi": 2}, "temperature": 2}, "give weights or a temperature, not both"),
    ],
)
def test_wrong_settings_are_refused_with_what_is_wrong(given, said):
    with pytest.raises(ValueError, match=said.replace("?", r"\?")):
        MixtureWeights.model_validate(given)
