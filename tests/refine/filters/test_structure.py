"""The image tag must be byte for byte where it was, and turns must match one to one."""

from dataclasses import replace

import pytest

from palo.schemas import Role, TranslatedSample, Turn, TurnMeta, TurnStatus
from refine.filters.structure import StructureFilter, broken_structure

META = TurnMeta(TurnStatus.TRANSLATED, 1, "stop", None, "e", "s", "k", "")


@pytest.mark.parametrize(
    ("source", "target", "broken"),
    [
        ("<image>\nWhat?", "<image>\nکیا؟", False),
        ("What?", "什么？", False),
        ("<image>\nWhat?", "কী?", True),
        ("<image>\nWhat?", "क्या?\n<image>", True),
        ("<image>\nWhat?", "<image>什么？", True),
    ],
)
def test_a_moved_image_tag_is_rejected(look, source, target, broken):
    expected = ("reject", "the <image> tag was lost, added or moved") if broken else None
    assert look(StructureFilter(), source, target) == expected


def sample():
    turns = (Turn(Role.HUMAN, "a"), Turn(Role.GPT, "b"))
    return TranslatedSample("s", "s", "ur", None, turns, turns, (META, META), "test")


def test_matching_turns_are_no_reason():
    assert broken_structure(sample()) is None


def test_a_missing_turn_a_missing_record_and_a_changed_role_are_named():
    whole = sample()
    assert broken_structure(replace(whole, target=whole.target[:1])) == (
        "1 target turns for 2 source turns"
    )
    assert broken_structure(replace(whole, meta=(META,))) == "1 records for 2 turns"
    swapped = replace(whole, target=whole.target[::-1])
    assert broken_structure(swapped) == "turn 1 is by gpt but was by human"
