"""Batches by choice hold the chosen turns, once, and no turn that is out already."""

import pytest

from palo.errors import UserError
from refine.queue import Queue, check_choice


def ids(run, only, max_rows=10):
    queue = Queue(run.paths, "ur", "2026-01-01")
    queue.send_chosen(only, max_rows)
    return [row["id"] for path in queue.files for row in run.rows(path.name)]


def start(run):
    run.translated(run.good, run.left)
    run.refine()


def test_turns_of_a_verdict_go_out_once(run):
    start(run)
    assert ids(run, "pass") == ["t0.good", "t1.good", "t0.left"]
    assert ids(run, "pass") == []


def test_what_is_out_already_is_left_out(run):
    start(run)
    assert ids(run, "flagged") == []


def test_a_reason_chooses_its_turns(run):
    start(run)
    run.csv_path().unlink()
    run.csv_path("exported.json").unlink()
    assert ids(run, "script") == ["t1.left"]


def test_a_file_names_turns_or_whole_conversations(run, tmp_path):
    start(run)
    path = tmp_path / "ids.txt"
    path.write_text("good\r\nt0.left\n", encoding="utf-8")
    assert ids(run, str(path)) == ["t0.good", "t1.good", "t0.left"]


def test_at_most_so_many_rows_go_out(run):
    start(run)
    assert ids(run, "pass", max_rows=2) == ["t0.good", "t1.good"]
    assert ids(run, "pass", max_rows=2) == ["t0.left"]


def test_a_misspelt_reason_is_named_with_the_nearest(run):
    with pytest.raises(UserError, match=r"Unknown choice 'scrpt'\. Did you mean 'script'"):
        check_choice("scrpt", run.profile.refine)
