"""A translation must say something where the source does."""

import pytest

from refine.filters.empty import EmptyFilter


@pytest.mark.parametrize("target", ["", "  \n", "。", "۔", "।", "<image>\n"])
def test_nothing_is_rejected(look, target):
    assert look(EmptyFilter(), "Two.", target) == ("reject", "the translation is empty")


@pytest.mark.parametrize(
    ("source", "target"), [("Two.", "二"), ("Two.", "२"), ("Two.", "د"), ("...", ""), ("", "")]
)
def test_something_or_nothing_to_say_passes(look, source, target):
    assert look(EmptyFilter(), source, target) is None
