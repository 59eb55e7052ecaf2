"""Invisible characters count where the source has none of them."""

import pytest

from palo.checks.hidden import code_point, hidden_characters


@pytest.mark.parametrize("char", ["\u200b", "\u202e", "\u2066", "\ufeff", "\u00ad", "\x00", "\x9d"])
def test_suspicious_characters_are_counted(char):
    assert hidden_characters("red", f"سر{char}خ{char}") == {char: 2}
    assert hidden_characters(f"re{char}d", f"سر{char}خ{char}") == {char: 1}


@pytest.mark.parametrize("char", ["\u200c", "\u200d", "\u200e", "\u200f", "\u00a0", "\n", "\t"])
def test_joiners_direction_marks_and_spaces_are_none(char):
    assert not hidden_characters("red", f"می{char}خواهم")


def test_a_code_point_is_written_out():
    assert code_point("\u200b") == "U+200B ZERO WIDTH SPACE"
    assert code_point("\x07") == "U+0007"
