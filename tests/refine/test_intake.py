"""Reviews are taken in whole: good rows in, bad rows named, nothing lost, nothing twice."""

from palo.memory import VerifiedMemory

FIX = {"verdict": "fix", "correction": "دو۔"}


def texts(run):
    with VerifiedMemory(run.paths.verified("ur")) as memory:
        return {(one.sample_id, one.turn): one.text for one in memory.entries()}


def sidecar(run, name="batch-0001.errors.csv"):
    return [(row["line"], row["id"], row["column"]) for row in run.rows(name)]


def start(run):
    run.translated(run.left, run.lost)
    run.refine()


def test_good_rows_are_taken_and_bad_ones_go_into_the_sidecar(run):
    start(run)
    run.edit({"t1.left": {"verdict": "acept"}, "t0.lost": {"verdict": "accept"}})
    intake = run.refine().intake
    assert texts(run) == {("lost", 0): "<image>\nکتنے ستارے ہیں؟"}
    assert sidecar(run) == [("2", "t1.left", "verdict")]
    assert len(intake.problems) == 1


def test_the_sidecar_goes_when_the_rows_are_mended(run):
    start(run)
    run.edit({"t1.left": {"verdict": "fix"}})
    run.refine()
    run.edit({"t1.left": FIX})
    run.refine()
    assert texts(run) == {("left", 1): "دو۔"}
    assert not run.csv_path("batch-0001.errors.csv").exists()


def test_reordered_rows_are_taken(run):
    start(run)
    rows = run.rows()
    for row in rows:
        row["verdict"] = "reject" if row["id"] == "t1.left" else "accept"
    run.save(rows[::-1], "batch-0001.csv")
    run.refine()
    assert texts(run) == {("lost", 0): "<image>\nکتنے ستارے ہیں؟"}
    assert run.refined()["left"].findings[1][0].filter == "reviewer"


def test_missing_rows_are_simply_not_decided(run):
    start(run)
    rows = run.rows()
    rows[0].update(FIX)
    run.save(rows[:1], "batch-0001.csv")
    assert run.refine().intake.problems == ()
    assert texts(run) == {("left", 1): "دو۔"}


def test_a_doubled_row_counts_once(run):
    start(run)
    rows = run.rows()
    rows[0].update(FIX)
    run.save([rows[0], rows[0], rows[1]], "batch-0001.csv")
    intake = run.refine().intake
    assert (intake.taken, intake.problems) == (1, ())


def test_a_doubled_row_that_says_two_things_is_a_conflict(run):
    start(run)
    rows = run.rows()
    run.save([rows[0] | FIX, rows[0] | {"verdict": "reject"}], "batch-0001.csv")
    run.refine()
    assert texts(run) == {}
    assert [line for line, _, _ in sidecar(run)] == ["2", "3"]


def test_an_unknown_row_is_reported(run):
    start(run)
    rows = run.rows()
    run.save([rows[0] | FIX, rows[1] | {"id": "t0.nobody", "verdict": "accept"}], "batch-0001.csv")
    run.refine()
    assert texts(run) == {("left", 1): "دو۔"}
    assert sidecar(run) == [("3", "t0.nobody", "id")]


def test_conflicting_reviewers_are_reported_in_both_files_and_not_taken(run):
    start(run)
    run.edit({"t1.left": FIX | {"reviewer": "Ana"}}, save_as="batch-0001 Ana.csv")
    run.edit({"t1.left": FIX | {"correction": "دو", "reviewer": "Ben"}})
    intake = run.refine().intake
    assert (intake.taken, texts(run)) == (0, {})
    assert sidecar(run) == [("2", "t1.left", "correction")]
    assert sidecar(run, "batch-0001 Ana.errors.csv") == [("2", "t1.left", "correction")]


def test_reviewers_who_come_to_agree_are_taken(run):
    test_conflicting_reviewers_are_reported_in_both_files_and_not_taken(run)
    run.edit({"t1.left": FIX})
    assert run.refine().intake.taken == 1
    assert texts(run) == {("left", 1): "دو۔"}


def test_a_reviewer_may_change_their_mind(run):
    start(run)
    run.edit({"t1.left": FIX})
    run.refine()
    run.edit({"t1.left": {"correction": "دو"}})
    assert run.refine().intake.taken == 1
    assert texts(run) == {("left", 1): "دو"}


def test_a_rejection_is_lifted_by_a_correction(run):
    start(run)
    run.edit({"t1.left": {"verdict": "reject"}})
    run.refine()
    run.edit({"t1.left": FIX})
    run.refine()
    assert run.refined()["left"].kept
    assert not run.csv_path("rejected.json").exists()


def test_a_verified_turn_is_not_rejected_behind_its_reviewers_back(run):
    start(run)
    run.edit({"t1.left": FIX})
    run.refine()
    run.edit({"t1.left": {"verdict": "reject", "correction": ""}})
    run.refine()
    assert texts(run) == {("left", 1): "دو۔"}
    assert sidecar(run) == [("2", "t1.left", "verdict")]


def test_a_file_that_cannot_be_read_stops_no_other(run):
    start(run)
    run.edit({"t1.left": FIX}, save_as="mine.csv")
    run.csv_path("word.csv").write_bytes("id,verdict\r\né".encode("cp1252"))
    run.refine()
    assert texts(run) == {("left", 1): "دو۔"}
    assert sidecar(run, "word.errors.csv") == [("0", "", "")]


def test_a_spreadsheets_delimiter_and_bom_make_no_difference(run):
    start(run)
    run.edit({"t1.left": FIX})
    path = run.csv_path()
    lines = [";".join(f'"{cell}"' for cell in row.values()) for row in run.rows()]
    names = ";".join(run.rows()[0])
    path.write_text("\r\n".join([names, *lines]), encoding="utf-8")
    run.refine()
    assert texts(run) == {("left", 1): "دو۔"}


def test_a_half_filled_row_is_reported_and_its_neighbours_are_taken(run):
    start(run)
    run.edit({"t1.left": {"correction": "دو۔"}, "t0.lost": {"verdict": "accept"}})
    (problem,) = run.refine().intake.problems
    assert (problem.id, problem.column) == ("t1.left", "verdict")
    assert problem.problem == "half filled in: write accept, fix or reject"
    assert texts(run) == {("lost", 0): "<image>\nکتنے ستارے ہیں؟"}


def test_every_fault_of_a_row_is_in_the_sidecar_at_once(run):
    start(run)
    run.edit({"t1.left": {"verdict": "fix", "error_type": "bad", "correction": "[0.1, 0.2] دو۔"}})
    run.refine()
    assert sidecar(run) == [("2", "t1.left", "error_type"), ("2", "t1.left", "correction")]


def test_an_edit_of_a_text_that_has_changed_since_is_kept_and_said(run):
    start(run)
    run.edit({"t1.left": FIX})
    newer = run.conversation("left", "ur", run.good_question, ("Two.", "2"))
    run.translated(newer, run.lost)
    intake = run.refine().intake
    assert (intake.taken, intake.stale, intake.problems) == (1, 1, ())
    assert texts(run) == {("left", 1): "دو۔"}


def test_letters_that_a_code_page_lost_are_neither_an_edit_nor_a_correction(run):
    start(run)
    rows = run.rows()
    rows[0].update(FIX)
    rows[1].update(verdict="accept")
    run.save(rows, "batch-0001.csv")
    path = run.csv_path()
    text = path.read_bytes().decode("utf-8-sig")
    path.write_bytes(text.encode("cp1252", errors="replace"))
    columns = {one.id: (one.column, one.problem) for one in run.refine().intake.problems}
    assert columns["t1.left"] == ("correction", "question marks in place of letters: '???'")
    assert columns["t0.lost"][0] == "translation"
    assert "letters were lost when the file was saved" in columns["t0.lost"][1]
    assert texts(run) == {}
