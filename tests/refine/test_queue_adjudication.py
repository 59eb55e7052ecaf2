"""Reviewers who disagree, and the third person who decides."""

import pytest

from palo.memory import VerifiedMemory

FIXES = {"ana": "دو ہیں۔", "ben": "وہ دو ہیں۔"}


def fix(text, who):
    return {"verdict": "fix", "correction": text, "reviewer": who}


@pytest.fixture
def disagreed(run):
    run.translated(run.left)
    run.refine()
    run.edit({"t1.left": fix(FIXES["ana"], "ana")}, save_as="batch-0001-ana.csv")
    run.edit({"t1.left": fix(FIXES["ben"], "ben")}, save_as="batch-0001-ben.csv")
    run.refine(now="2026-01-02")
    return run


def verified(run):
    with VerifiedMemory.existing(run.paths.verified("ur")) as memory:
        return {(one.sample_id, one.turn): one for one in memory.entries()}


def test_a_conflict_goes_out_once_with_what_each_one_wants(disagreed):
    (row,) = disagreed.rows("adjudicate-0001.csv")
    assert row["id"] == "t1.left"
    assert row["reasons"] == "ana: fix to 'دو ہیں۔'; ben: fix to 'وہ دو ہیں۔'"
    assert (row["translation"], row["verdict"], row["correction"]) == ("Two.", "", "")
    assert not verified(disagreed)
    disagreed.refine()
    assert not disagreed.csv_path("adjudicate-0002.csv").exists()


def test_the_third_person_decides(disagreed):
    decision = {"t1.left": fix(FIXES["ben"], "cleo")}
    disagreed.edit(decision, name="adjudicate-0001.csv")
    summary = disagreed.refine(now="2026-01-03")
    entry = verified(disagreed)["left", 1]
    assert (entry.text, entry.reviewer, entry.batch) == (FIXES["ben"], "cleo", "adjudicate-0001")
    assert summary.intake.problems == ()
    assert not list(disagreed.paths.review("ur").glob("*.errors.csv"))


def test_until_then_both_files_say_so(disagreed):
    sidecars = sorted(one.name for one in disagreed.paths.review("ur").glob("*.errors.csv"))
    assert sidecars == ["batch-0001-ana.errors.csv", "batch-0001-ben.errors.csv"]
    (row,) = disagreed.rows("batch-0001-ana.errors.csv")
    assert "let the adjudicate batch decide" in row["problem"]
