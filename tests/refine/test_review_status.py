"""The state of a review is counted from the ledger, the files and the verified texts."""

from palo.files import read_json, write_json
from refine.review_status import ReviewStatus, review_status

FIX = {"verdict": "fix", "correction": "دو۔"}


def start(run):
    run.translated(run.left, run.lost)
    run.refine(now="2026-01-01T00:00:00+00:00")


def test_rows_are_out_until_they_are_taken_in(run):
    start(run)
    assert review_status(run.paths, "ur") == ReviewStatus("ur", 2, 0, 0, None, None, None)


def test_edits_and_hours_count_from_export_to_import(run):
    start(run)
    run.edit({"t1.left": FIX, "t0.lost": {"verdict": "accept"}})
    run.refine(now="2026-01-01T06:00:00+00:00")
    assert review_status(run.paths, "ur") == ReviewStatus("ur", 2, 2, 0, None, 0.5, 6.0)


def test_a_rejection_is_done_and_counts_as_an_edit(run):
    start(run)
    run.edit({"t1.left": {"verdict": "reject"}})
    run.refine()
    assert review_status(run.paths, "ur") == ReviewStatus("ur", 2, 1, 0, None, 1.0, None)


def test_reviewers_who_disagree_are_a_conflict_and_lower_the_agreement(run):
    start(run)
    accepted = {"verdict": "accept", "reviewer": "Ana"}
    run.edit({"t1.left": FIX | {"reviewer": "Ana"}, "t0.lost": accepted}, save_as="Ana.csv")
    changes = {"t1.left": {"verdict": "reject"}, "t0.lost": accepted}
    changes = {key: one | {"reviewer": "Ben"} for key, one in changes.items()}
    run.edit(changes, save_as="Ben.csv")
    run.refine()
    status = review_status(run.paths, "ur")
    # of two turns one alike; chance: accept 1/2 * 1/2
    assert (status.conflicts, status.agreement) == (1, (0.5 - 0.25) / 0.75)


def test_a_ledger_of_before_still_loads(run):
    start(run)
    path = run.csv_path("exported.json")
    write_json(path, {batch: one["rows"] for batch, one in read_json(path).items()})
    assert review_status(run.paths, "ur").out == 2
    assert run.refine().queue.files == ()
