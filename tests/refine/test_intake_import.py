"""A review file that was mailed is looked at without a change, then taken in once."""

import pytest

from palo.errors import UserError
from palo.memory import VerifiedMemory
from refine.intake import import_file, languages_of, own_name

FIX = {"verdict": "fix", "correction": "دو۔"}


@pytest.fixture
def mailed(run, tmp_path):
    """The batch as Ana filled it in, away from the review folder, which stays untouched."""
    run.translated(run.left, run.lost)
    run.refine()
    run.edit({"t1.left": FIX, "t0.lost": {"verdict": "acept"}}, save_as="Ana.csv")
    inside = run.csv_path("Ana.csv")
    outside = tmp_path / "mail" / "batch-0001.csv"
    outside.parent.mkdir()
    inside.rename(outside)
    return outside


def texts(run):
    with VerifiedMemory(run.paths.verified("ur")) as memory:
        return {(one.sample_id, one.turn): one.text for one in memory.entries()}


def test_a_dry_run_says_what_would_be_taken_and_what_is_wrong_and_changes_nothing(run, mailed):
    before = run.files()
    intake = import_file(run.paths, "ur", mailed, "2026-01-02", dry_run=True)
    (problem,) = intake.problems
    assert (intake.taken, problem.id, problem.column) == (1, "t0.lost", "verdict")
    assert problem.file == own_name(mailed)
    assert run.files() == before


def test_good_rows_are_taken_and_the_batch_that_may_be_open_is_not_touched(run, mailed):
    before = run.csv_path().read_bytes()
    intake = import_file(run.paths, "ur", mailed, "2026-01-02", dry_run=False)
    assert (intake.taken, texts(run)) == (1, {("left", 1): "دو۔"})
    assert run.csv_path().read_bytes() == before
    assert run.csv_path(own_name(mailed)).read_bytes() == mailed.read_bytes()
    sidecar = run.rows(own_name(mailed).removesuffix(".csv") + ".errors.csv")
    assert [row["id"] for row in sidecar] == ["t0.lost"]


def test_the_same_file_twice_changes_nothing(run, mailed):
    import_file(run.paths, "ur", mailed, "2026-01-02", dry_run=False)
    before = run.files()
    intake = import_file(run.paths, "ur", mailed, "2026-01-03", dry_run=False)
    assert (intake.taken, intake.known) == (0, 1)
    assert run.files() == before


def test_the_language_is_read_from_the_rows(mailed):
    assert languages_of(mailed) == ["ur"]


def test_a_file_that_cannot_be_read_is_refused_with_the_reason(run, tmp_path):
    path = tmp_path / "word.csv"
    path.write_bytes("id,verdict\r\né".encode("cp1252"))
    with pytest.raises(UserError, match="the file is not UTF-8"):
        import_file(run.paths, "ur", path, "2026-01-02", dry_run=False)
    assert not run.paths.review("ur").exists()


@pytest.mark.parametrize("dry_run", [True, False])
def test_a_damaged_memory_is_told_and_nothing_is_copied(run, mailed, dry_run):
    path = run.paths.verified("ur")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    before = run.files()
    with pytest.raises(UserError, match="is damaged"):
        import_file(run.paths, "ur", mailed, "2026-01-02", dry_run)
    assert run.files() == before
