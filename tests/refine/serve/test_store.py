"""Decisions of the page on disk: intake takes them like any reviewer's file."""

import pytest

from palo.errors import UserError
from palo.memory import VerifiedMemory
from refine.serve import ReviewStore, RowEntry, Unsaved, find_batch, own_path

FIX = RowEntry(verdict="fix", correction="دو۔")
ACCEPT = RowEntry(verdict="accept")


def texts(run):
    with VerifiedMemory(run.paths.verified("ur")) as memory:
        return {
            (one.sample_id, one.turn): (one.text, one.reviewer, one.batch)
            for one in memory.entries()
        }


@pytest.fixture
def store(batch):
    return ReviewStore(batch, "ur", "Ana")


def test_intake_takes_fix_accept_and_reject_from_the_pages_own_file(run, store):
    before = run.csv_path().read_bytes()
    store.save("t1.left", FIX)
    store.save("t0.lost", ACCEPT)
    assert run.refine().intake.problems == ()
    assert texts(run) == {
        ("left", 1): ("دو۔", "Ana", "batch-0001.ana"),
        ("lost", 0): ("<image>\nکتنے ستارے ہیں؟", "Ana", "batch-0001.ana"),
    }
    assert run.csv_path().read_bytes() == before


def test_a_rejection_with_error_type_and_note_is_taken(run, store):
    store.save(
        "t1.left", RowEntry(verdict="reject", error_type="untranslated", note="still English")
    )
    run.refine()
    reviewer = run.refined()["left"].findings[1][0]
    assert reviewer.reason == "rejected by Ana in batch-0001.ana: still English"


def test_only_decided_rows_stand_in_the_file_in_the_batchs_order(run, store):
    store.save("t0.lost", ACCEPT)
    assert [row["id"] for row in run.rows("batch-0001.ana.csv")] == ["t0.lost"]
    store.save("t1.left", FIX)
    assert [row["id"] for row in run.rows("batch-0001.ana.csv")] == ["t1.left", "t0.lost"]
    assert list(run.rows("batch-0001.ana.csv")[0]) == list(run.rows()[0])


def test_opening_again_finds_decisions_and_drafts(batch, store):
    store.save("t1.left", FIX)
    store.save("t0.lost", RowEntry(correction="کتنے", note="later"))
    assert ReviewStore(batch, "ur", "Ana").entries() == {
        "t1.left": FIX,
        "t0.lost": RowEntry(correction="کتنے", note="later"),
    }
    assert ReviewStore(batch, "ur", "Ben").entries() == {}


def test_a_draft_is_no_business_of_intake(run, store):
    store.save("t1.left", RowEntry(correction="دو۔"))
    assert run.refine().intake.problems == ()
    assert texts(run) == {}


def test_what_intake_would_refuse_is_refused_at_once_and_the_text_is_kept(run, batch, store):
    with pytest.raises(Unsaved, match="no correction"):
        store.save("t1.left", RowEntry(verdict="fix"))
    with pytest.raises(Unsaved, match="script") as refused:
        store.save("t1.left", RowEntry(verdict="fix", correction="Two, really."))
    assert refused.value.column == "correction"
    assert not run.csv_path("batch-0001.ana.csv").exists()
    assert ReviewStore(batch, "ur", "Ana").entries() == {
        "t1.left": RowEntry(correction="Two, really.")
    }


def test_a_refused_edit_leaves_the_earlier_decision_as_it_was(run, store):
    store.save("t1.left", FIX)
    with pytest.raises(Unsaved):
        store.save("t1.left", RowEntry(verdict="fix", correction=""))
    assert run.rows("batch-0001.ana.csv")[0]["correction"] == "دو۔"


def test_a_correction_that_changes_nothing_is_an_accept(store):
    with pytest.raises(Unsaved, match="accept it"):
        store.save("t0.lost", RowEntry(verdict="fix", correction="کتنے ستارے ہیں؟"))


def test_a_typed_correction_waits_while_the_row_is_rejected(run, store):
    said = store.save("t1.left", RowEntry(verdict="reject", correction="دو"))
    assert said == RowEntry(verdict="reject", correction="دو")
    assert run.rows("batch-0001.ana.csv")[0]["correction"] == ""
    assert run.refine().intake.problems == ()


def test_undeciding_takes_the_row_out_again(run, store):
    store.save("t1.left", FIX)
    assert store.save("t1.left", RowEntry(correction="دو۔")) == RowEntry(correction="دو۔")
    assert not run.csv_path("batch-0001.ana.csv").exists()


def test_the_same_word_in_the_exported_file_and_on_the_page_is_one(run, store):
    store.save("t1.left", FIX)
    run.edit({"t1.left": {"verdict": "fix", "correction": "دو۔"}})
    intake = run.refine().intake
    assert (intake.taken, intake.problems) == (1, ())


def test_another_word_in_the_exported_file_is_a_conflict_and_none_is_taken(run, store):
    store.save("t1.left", FIX)
    run.edit({"t1.left": {"verdict": "fix", "correction": "دو"}})
    run.refine()
    assert texts(run) == {}


def test_verdicts_of_the_exported_file_are_shown(run, store):
    run.edit({"t1.left": {"verdict": "reject"}})
    assert store.decided_elsewhere() == {"t1.left": "reject"}


def test_an_edit_of_the_own_file_by_a_spreadsheet_is_not_overwritten(run, store):
    store.save("t1.left", FIX)
    run.edit({"t1.left": {"correction": "دو"}}, "batch-0001.ana.csv")
    store.save("t0.lost", ACCEPT)
    rows = run.rows("batch-0001.ana.csv")
    assert [(row["id"], row["correction"]) for row in rows] == [("t1.left", "دو"), ("t0.lost", "")]


def test_an_own_file_that_cannot_be_read_is_left_alone(run, store):
    path = run.csv_path("batch-0001.ana.csv")
    path.write_bytes("id,verdict\r\né".encode("cp1252"))
    with pytest.raises(UserError, match="nothing was overwritten"):
        store.save("t1.left", FIX)
    assert path.read_bytes() == "id,verdict\r\né".encode("cp1252")


@pytest.mark.parametrize(
    ("reviewer", "name"),
    [
        ("Ana Ray", "batch-0001.ana-ray.csv"),
        ("", "batch-0001.page.csv"),
        ("../../x", "batch-0001.x.csv"),
        ("errors", "batch-0001.errors-1.csv"),
        ("علی", "batch-0001.علی.csv"),
    ],
)
def test_a_reviewers_file_is_named_after_them_and_stays_in_the_folder(batch, reviewer, name):
    assert own_path(batch, reviewer) == batch.with_name(name)


def test_the_first_batch_with_open_rows_is_taken(run, batch, store):
    assert find_batch(batch.parent, "ur", None, "Ana") == batch
    store.save("t1.left", FIX)
    run.edit({"t0.lost": {"verdict": "accept"}})
    with pytest.raises(UserError, match="palo refine --lang ur"):
        find_batch(batch.parent, "ur", None, "Ana")
    assert find_batch(batch.parent, "ur", "batch-0001", "Ana") == batch
    with pytest.raises(UserError, match="Did you mean 'batch-0001'"):
        find_batch(batch.parent, "ur", "batch-001", "Ana")


def test_no_batch_says_what_to_run(tmp_path):
    with pytest.raises(UserError, match="palo refine --lang ur"):
        find_batch(tmp_path, "ur", None, "")
