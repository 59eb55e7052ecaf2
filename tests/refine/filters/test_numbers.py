"""A missing number is a note, whatever digits and separators it is written with."""

import pytest

from refine.filters.numbers import NumbersFilter


@pytest.mark.parametrize(
    ("source", "target", "lang"),
    [
        ("20 birds", "২০টি পাখি", "bn"),
        ("20 birds", "२० पक्षी", "hi"),
        ("20 birds", "۲۰ پرندے", "ur"),
        ("20 birds", "٢٠ طائرًا", "ar"),
        ("1,000 birds", "1\u202f000 oiseaux", "fr"),
        ("1,000.5 m", "1.000,5 m", "es"),
        ("two birds", "2羽の鳥", "ja"),
        ("at [0.25, 0.5]", "在[0.25, 0.5]", "zh"),
    ],
)
def test_the_same_number_in_other_clothes_passes(look, source, target, lang):
    assert look(NumbersFilter(), source, target, lang) is None


def test_a_missing_number_is_noted(look):
    assert look(NumbersFilter(), "20 and 3 birds", "20只鸟", "zh") == ("note", "numbers missing: 3")
    assert look(NumbersFilter(), "20 birds", "二十只鸟", "zh")[0] == "note"
