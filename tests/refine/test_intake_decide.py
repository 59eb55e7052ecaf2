"""What a filled-in row says, and every way in which it can be wrong."""

import pytest

from refine.intake import (
    Decision,
    ReviewedTurn,
    ReviewVerdict,
    conflict_problems,
    decide,
    settle,
)
from refine.review_file import ReviewRow, export_hash, review_id

SOURCE = "<image>\nWhat is at [0.25, 0.5]?"
ENGLISH = "What is at [0.25, 0.5]?"
MACHINE = "[0.25, 0.5] پر کیا ہے؟"
TURN = ReviewedTurn("a", 0, SOURCE, "", (f"<image>\n{MACHINE}",))


def read(file="batch-0001.csv", line=2, **values):
    filled = {
        "id": review_id("a", 0),
        "lang": "ur",
        "image": "",
        "previous": "",
        "english": ENGLISH,
        "translation": MACHINE,
        "reasons": "",
        "hash": export_hash(ENGLISH, MACHINE),
    }
    return ReviewRow(**(filled | values), file=file, line=line)


def decided(turn=TURN, **values):
    outcome = decide(read(**values), "ur", turn)
    assert isinstance(outcome, Decision), outcome
    return outcome


def problem(turn=TURN, **values):
    (found,) = problems(turn, **values)
    return found.column, found.problem


def problems(turn=TURN, into="ur", **values):
    outcome = decide(read(**values), into, turn)
    assert not isinstance(outcome, Decision), outcome
    return outcome


def test_accept_takes_the_machines_text_with_its_image_tag():
    found = decided(verdict="Accept ")
    assert (found.verdict, found.entry.text) == (ReviewVerdict.ACCEPT, f"<image>\n{MACHINE}")
    assert not found.stale


def test_fix_takes_the_correction_with_the_image_tag():
    found = decided(verdict="fix", correction=" [0.25, 0.5] میں کیا ہے؟ ", all_copies="yes")
    assert found.entry.text == "<image>\n[0.25, 0.5] میں کیا ہے؟"
    assert found.entry.all_copies


def test_an_edit_in_the_translation_cell_counts_as_the_correction():
    assert decided(verdict="fix", translation="[0.25, 0.5] میں؟").entry.text == (
        "<image>\n[0.25, 0.5] میں؟"
    )


def test_a_cell_that_a_spreadsheet_retouched_is_no_edit():
    retouched = MACHINE.replace(" ", "\u00a0")
    assert decided(verdict="accept", translation=retouched).entry.text == f"<image>\n{MACHINE}"


def test_reject_needs_no_text():
    assert decided(verdict="reject", note="nonsense").entry.text == ""


def test_an_edit_of_a_translation_that_changed_since_is_kept_and_said():
    newer = ReviewedTurn("a", 0, SOURCE, "", ("<image>\nکچھ اور",))
    found = decided(newer, verdict="accept")
    assert (found.entry.text, found.stale) == (f"<image>\n{MACHINE}", True)


@pytest.mark.parametrize(
    ("values", "column", "words"),
    [
        ({"verdict": "", "correction": "[0.25, 0.5] ہے؟"}, "verdict", "half filled in"),
        ({"verdict": "acept"}, "verdict", "did you mean accept?"),
        ({"verdict": "fix"}, "correction", "no correction"),
        ({"verdict": "accept", "correction": "x"}, "correction", "write fix to use"),
        ({"verdict": "reject", "correction": "x"}, "correction", "write fix to use"),
        ({"verdict": "accept", "translation": "x"}, "translation", "write fix to use"),
        ({"verdict": "fix", "correction": "یہاں کیا ہے؟"}, "correction", "missing or changed"),
        ({"verdict": "fix", "correction": "[0.25, 0.5] {x} ہے؟"}, "correction", "not in the"),
        ({"verdict": "fix", "correction": "[0.25, 0.5]?"}, "correction", "is empty"),
        (
            {"verdict": "fix", "correction": "What is [0.25, 0.5]?"},
            "correction",
            "of the language's script",
        ),
        (
            {"verdict": "fix", "correction": "[0.25, 0.5] پر ???? ہے؟"},
            "correction",
            "question marks in place of letters",
        ),
        (
            {"verdict": "fix", "correction": "[0.25, 0.5] على اليسار دائرة حمراء كبيرة وجميلة"},
            "correction",
            "looks like Arabic, not Urdu",
        ),
        ({"verdict": "fix", "correction": "[0.25, 0.5] <image>؟"}, "correction", "<image>"),
        ({"verdict": "accept", "error_type": "bad"}, "error_type", "mistranslation"),
        ({"verdict": "accept", "all_copies": "maybe"}, "all_copies", "yes"),
        ({"verdict": "accept", "hash": "1e5"}, "hash", "damaged"),
        ({"verdict": "accept", "hash": export_hash("x", "y")}, "english", "no longer"),
        ({"verdict": "accept", "lang": "hi"}, "lang", "'ur'"),
        ({"verdict": "accept", "id": "3"}, "id", "not an id"),
    ],
)
def test_a_wrong_row_is_reported_with_its_column(values, column, words):
    found = problem(**values)
    assert found[0] == column
    assert words in found[1]


def test_a_correction_in_another_language_is_refused_only_where_that_is_sure():
    english = "What is the colour of the large thing at [0.25, 0.5]?"
    (found,) = problems(into="fr", lang="fr", verdict="fix", correction=english)
    assert (found.column, found.problem) == ("correction", "looks like English, not French")
    for short in ("What is it [0.25, 0.5] ?", "[0.25, 0.5] : un triangle orange ?"):
        row = read(lang="fr", verdict="fix", correction=short)
        assert isinstance(decide(row, "fr", TURN), Decision)


def test_all_that_is_wrong_with_a_row_is_said_at_once():
    found = problems(verdict="fxi", error_type="bad", all_copies="maybe", correction="{x} ہے؟")
    assert [one.column for one in found] == ["verdict", "error_type", "all_copies", "correction"]
    assert "did you mean fix?" in found[0].problem
    assert "missing or changed: '[0.25, 0.5]'" in found[3].problem


def test_an_unknown_turn_is_reported():
    assert problem(None, verdict="accept")[0] == "id"


def test_only_the_reviewers_own_cells_make_a_row_touched():
    assert read(note="later", reviewer="Ana").untouched
    assert not read(correction="x").untouched
    assert not read(verdict="accept").untouched


def test_reviewers_who_agree_make_one_decision():
    rows = [decided(verdict="accept", file=f"batch-000{n}.csv") for n in (1, 2)]
    settled, conflicts = settle(rows)
    assert (len(settled), conflicts) == (1, [])


def test_reviewers_who_disagree_are_reported_on_both_sides_and_not_taken():
    ana = decided(verdict="accept", reviewer="Ana")
    ben = decided(verdict="reject", reviewer="Ben", file="copy.csv", line=7)
    settled, conflicts = settle([ana, ben])
    assert (settled, conflicts) == ([], [[ana, ben]])
    problems = conflict_problems(conflicts)
    assert [(one.file, one.line) for one in problems] == [("batch-0001.csv", 2), ("copy.csv", 7)]
    assert "copy.csv line 7 by Ben: reject" in problems[0].problem
    assert "batch-0001.csv line 2 by Ana: accept" in problems[1].problem
