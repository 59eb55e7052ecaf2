"""Workbooks beside the CSVs: the same rows, there and back, through openpyxl and LibreOffice."""

import subprocess

import pytest
from openpyxl import load_workbook

from palo.errors import UserError
from palo.memory import VerifiedMemory
from refine.review_file import ReviewRow, read_review, write_review
from tests.refine.test_review_file import TEXTS


def row(at, text):
    return ReviewRow(f"t0.{at}", "ur", "", "", "english", text, "", correction=text, hash="h")


KEPT = {name: text for name, text in TEXTS.items() if "\r" not in text}
ROWS = [row(at, text) for at, text in enumerate(KEPT.values())]


def test_every_cell_comes_back_as_it_was(tmp_path):
    write_review(tmp_path / "a.xlsx", ROWS)
    found = read_review(tmp_path / "a.xlsx")
    assert found.problems == ()
    assert list(found.rows) == ROWS
    assert [one.line for one in found.rows][:2] == [2, 3]


@pytest.mark.slow
def test_libreoffice_saves_every_cell_back(tmp_path, soffice):
    write_review(tmp_path / "a.xlsx", ROWS)
    out = str(tmp_path / "out")
    subprocess.run(
        [soffice, f"-env:UserInstallation=file://{tmp_path}/office", "--headless", "--convert-to",
         "xlsx:Calc MS Excel 2007 XML", "--outdir", out, str(tmp_path / "a.xlsx")],
        check=True, capture_output=True, timeout=180,
    )  # fmt: skip
    found = read_review(tmp_path / "out" / "a.xlsx")
    assert list(found.rows) == ROWS


def test_sheets_of_right_to_left_languages_begin_at_the_right_and_offer_the_verdicts(tmp_path):
    write_review(tmp_path / "ur.xlsx", ROWS[:1])
    sheet = load_workbook(tmp_path / "ur.xlsx").active
    assert sheet.sheet_view.rightToLeft
    assert sheet.freeze_panes == "B2"
    offered = {str(one.sqref): one.formula1 for one in sheet.data_validations.dataValidation}
    assert offered["H2"] == '"accept,fix,reject"'
    assert sheet["F2"].number_format == "@"
    write_review(tmp_path / "fr.xlsx", [ReviewRow("t0.a", "fr", "", "", "x", "y", "")])
    assert not load_workbook(tmp_path / "fr.xlsx").active.sheet_view.rightToLeft


def test_a_row_that_no_workbook_can_hold_stays_in_the_csv(tmp_path):
    write_review(tmp_path / "a.xlsx", [row(1, "bell \x07"), row(2, "two")])
    assert [one.id for one in read_review(tmp_path / "a.xlsx").rows] == ["t0.2"]


def test_a_workbook_that_exists_is_never_overwritten(tmp_path):
    write_review(tmp_path / "a.xlsx", ROWS[:1])
    with pytest.raises(UserError, match="never overwritten"):
        write_review(tmp_path / "a.xlsx", ROWS)


@pytest.mark.parametrize("data", [b"", b"id,verdict\n", b"PK\x03\x04broken"])
def test_what_is_no_workbook_is_a_problem(tmp_path, data):
    (tmp_path / "a.xlsx").write_bytes(data)
    assert "no workbook" in read_review(tmp_path / "a.xlsx").problems[0].problem


def fill(path, changes):
    book = load_workbook(path)
    header = [cell.value for cell in book.active[1]]
    for line in book.active.iter_rows(min_row=2):
        for name, value in changes.get(line[0].value, {}).items():
            line[header.index(name)].value = value
    book.save(path)


@pytest.fixture
def exported(run):
    run.settings = {"review_xlsx": True}
    run.translated(run.left)
    names = [path.name for path in run.refine().queue.files]
    assert names == ["batch-0001.csv", "batch-0001.xlsx"]
    return run


def verified(run):
    with VerifiedMemory.existing(run.paths.verified("ur")) as memory:
        return {(one.sample_id, one.turn): one for one in memory.entries()}


def test_what_was_filled_in_there_is_taken_in_and_nothing_goes_out_twice(exported):
    book = exported.csv_path("batch-0001.xlsx")
    fill(book, {"t1.left": {"verdict": "fix", "correction": "دو۔", "reviewer": "ana"}})
    before = book.read_bytes()
    summary = exported.refine(now="2026-01-02")
    entry = verified(exported)["left", 1]
    assert (entry.text, entry.reviewer, entry.batch) == ("دو۔", "ana", "batch-0001")
    assert summary.queue.files == ()
    assert book.read_bytes() == before


def test_errors_of_a_workbook_have_a_sidecar_of_their_own(exported):
    fill(exported.csv_path("batch-0001.xlsx"), {"t1.left": {"verdict": "fxi"}})
    exported.refine()
    (row,) = exported.rows("batch-0001.xlsx.errors.csv")
    assert (row["line"], row["problem"].split("?")[0]) == ("2", "unknown; did you mean fix")
    assert not exported.csv_path("batch-0001.errors.csv").exists()


def test_a_csv_and_a_workbook_that_differ_are_a_conflict(exported):
    exported.edit({"t1.left": {"verdict": "fix", "correction": "وہ دو ہیں۔"}})
    fill(exported.csv_path("batch-0001.xlsx"), {"t1.left": {"verdict": "fix", "correction": "دو۔"}})
    exported.refine()
    assert not verified(exported)
    assert exported.csv_path("adjudicate-0001.csv").exists()
    assert exported.csv_path("batch-0001.xlsx.errors.csv").exists()


def test_an_empty_row_above_the_header_and_a_cell_beside_the_table_are_no_matter(tmp_path):
    write_review(tmp_path / "a.xlsx", ROWS[:2])
    book = load_workbook(tmp_path / "a.xlsx")
    book.active.insert_rows(1)
    book.active.cell(3, book.active.max_column + 1, "written beside the table")
    book.save(tmp_path / "a.xlsx")
    read = read_review(tmp_path / "a.xlsx")
    assert [(one.line, one) for one in read.rows] == [(3, ROWS[0]), (4, ROWS[1])]
    assert read.problems == ()
