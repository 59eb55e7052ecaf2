"""Errors name what failed and the nearest thing that would work."""

import pytest

from palo.errors import Locked, MissingResource, UserError, nearest, unknown


def test_every_user_error_is_a_value_error_with_exit_code_2():
    for kind in (UserError, MissingResource, Locked):
        assert issubclass(kind, ValueError)
        assert kind("x").exit_code == 2


def test_unknown_suggests_the_nearest_and_lists_all_sorted():
    error = unknown("scale", "7c", ["7b", "13b", "1.7b"])
    assert str(error) == "Unknown scale '7c'. Did you mean '7b'? Scales: 1.7b 13b 7b"


def test_unknown_without_anything_near_only_lists():
    assert str(unknown("profile", "zzz", ["palo"])) == "Unknown profile 'zzz'. Profiles: palo"


def test_unknown_takes_an_irregular_plural():
    error = unknown("policy", "x", ["drop"], plural="policies")
    assert str(error) == "Unknown policy 'x'. Policies: drop"


@pytest.mark.parametrize(
    ("value", "expected"),
    [("sampel", "sample"), ("SAMPLE", "sample"), ("q", None), ("", None)],
)
def test_nearest(value, expected):
    assert nearest(value, ["sample", "palo"]) == expected
