"""The simulated reviewer, on CSVs as the exporter writes them."""

import csv

import pytest

from sceneworld.truth import review_csv

COLUMNS = [
    *("id", "lang", "image", "previous", "english", "translation", "reasons"),
    *("verdict", "correction", "error_type", "all_copies", "note", "reviewer", "hash"),
]
TRUTH = {
    ("", "Where is the star?"): {"fr": "Où se trouve l'étoile ?"},
    ("Where is the star?", "In the top left corner."): {"fr": "Dans le coin."},
    ("List all the objects in the picture.", "- a star\n- a heart"): {
        "fr": "- une étoile\n- un cœur"
    },
}


def review(tmp_path, **cells):
    """The row after review, and the summary."""
    path = tmp_path / "001.csv"
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, restval="")
        writer.writeheader()
        writer.writerow({"id": "t0.a", "lang": "fr", "hash": "h1", **cells})
    summary = review_csv(path, TRUTH)
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        (row,) = reader
        assert reader.fieldnames == COLUMNS
    assert path.read_bytes().startswith(b"\xef\xbb\xbfid,lang,")
    assert (row["id"], row["hash"]) == ("t0.a", "h1")
    return row, summary


def test_a_right_translation_is_accepted(tmp_path):
    row, summary = review(
        tmp_path,
        previous="<image>\nWhere is the star?",
        english="In the top left corner.",
        translation="Dans le coin.",
    )
    assert summary == {"accepted": 1}
    assert (row["verdict"], row["correction"], row["error_type"]) == ("accept", "", "")
    assert (row["all_copies"], row["reviewer"]) == ("yes", "simulated")


@pytest.mark.parametrize("tagged", ["<image>\n{}", "{}\n<image>", "{}"])
def test_a_wrong_translation_gets_the_truth_with_the_tag_where_the_english_has_it(tmp_path, tagged):
    row, summary = review(
        tmp_path,
        english=tagged.format("Where is the star?"),
        translation=tagged.format("Où est le étoile ?"),
    )
    assert summary == {"fixed": 1}
    assert row["verdict"] == "fix"
    assert row["correction"] == tagged.format("Où se trouve l'étoile ?")
    assert row["error_type"] == "grammar"


def test_a_lost_tag_is_a_mistake_to_fix(tmp_path):
    row, _ = review(
        tmp_path,
        english="<image>\nWhere is the star?",
        translation="Où se trouve l'étoile ?",
    )
    assert row["correction"] == "<image>\nOù se trouve l'étoile ?"


def test_a_later_question_is_known_though_an_answer_precedes_it(tmp_path):
    row, _ = review(
        tmp_path,
        previous="Two.",
        english="Where is the star?",
        translation="Où se trouve l'étoile ?",
    )
    assert row["verdict"] == "accept"


def test_cells_that_look_like_formulas_are_read_and_written_escaped(tmp_path):
    cells = {
        "previous": "List all the objects in the picture.",
        "english": "'- a star\n- a heart",
    }
    row, _ = review(tmp_path, **cells, translation="'- une étoile\n- un cœur")
    assert row["verdict"] == "accept"
    row, _ = review(tmp_path, **cells, translation="'- un étoile")
    assert row["correction"] == "'- une étoile\n- un cœur"


def test_a_row_with_a_verdict_is_left_alone(tmp_path):
    cells = {"english": "Where is the star?", "translation": "x", "verdict": "reject"}
    row, summary = review(tmp_path, **cells)
    assert summary == {"judged before": 1}
    assert row == dict.fromkeys(COLUMNS, "") | cells | {"id": "t0.a", "lang": "fr", "hash": "h1"}


@pytest.mark.parametrize("unknown", [{"english": "What is this?"}, {"lang": "es"}])
def test_a_row_that_the_truth_does_not_know_is_left_alone(tmp_path, unknown):
    cells = {"english": "Where is the star?", "translation": "x"} | unknown
    row, summary = review(tmp_path, **cells)
    assert summary == {"not known to the truth": 1}
    assert row == dict.fromkeys(COLUMNS, "") | {"id": "t0.a", "lang": "fr", "hash": "h1"} | cells
