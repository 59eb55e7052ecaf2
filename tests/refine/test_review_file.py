"""A review CSV survives every spreadsheet, or the damage is named."""

import subprocess

import pytest

from palo.errors import UserError
from refine.review_file import (
    MAX_CELL_CHARS,
    ReviewRow,
    escape,
    export_hash,
    parse_export_hash,
    parse_review_id,
    read_review,
    review_csvs,
    review_id,
    text_hash,
    unescape,
    write_review,
)

TEXTS = {
    "line feed": "one\ntwo",
    "Windows line": "one\r\ntwo",
    "old Mac line": "one\rtwo",
    "Unicode lines": "one\u2028two\u0085three",
    "quotes and commas": 'he said "a, b"; c\td',
    "bullet": "- first\n- second",
    "formula": "=1+1",
    "at": "@home",
    "plus": "+1",
    "apostrophe": "'tis",
    "apostrophes": "''=x",
    "leading tab": "\tx",
    "leading return": "\rx",
    "leading line feed": "\nx",
    "NA": "NA",
    "null": "null",
    "TRUE": "TRUE",
    "number": "007",
    "exponent": "1e5",
    "date": "1-2",
    "quarter": "1/4",
    "time": "12:30",
    "per cent": "50%",
    "escaped number": "'007",
    "native digits": "২০",
    "false": "False",
    "NBSP": "a\u00a0b",
    "smart quotes": "“a” ‘b’",
    "Urdu": "دائرہ سرخ ہے۔",
    "Bengali": "বৃত্তটি লাল।",
    "Hindi": "वृत्त लाल है।",
    "Chinese": "红色的圆。",
    "Japanese": "赤い円です。",
    "joiners": "می‌خواهم क्‍ष",
    "emoji": "🙂",
    "inner BOM": "a\ufeffb",
}


def row(**values):
    filled = {"id": "t0.a", "lang": "ur", "english": "x", "translation": "y", "hash": "h"}
    defaults = dict.fromkeys(("image", "previous", "reasons"), "")
    return ReviewRow(**{**defaults, **filled, **values})


def recode(path, encoding):
    path.write_bytes(path.read_bytes().decode("utf-8-sig").encode(encoding))


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_a_cell_comes_back_as_it_was(tmp_path, text):
    path = tmp_path / "batch-0001.csv"
    write_review(path, [row(translation=text, note="last")])
    (read,) = read_review(path).rows
    assert read == row(translation=text, note="last")


@pytest.mark.parametrize("text", [*TEXTS.values(), ""])
def test_escaping_is_reversible_and_disarms_formulas(text):
    assert unescape(escape(text)) == text
    assert escape(text)[:1] not in tuple("=+-@\t\r")


def test_the_file_begins_with_a_bom_and_comes_back_with_or_without(tmp_path):
    path = tmp_path / "batch-0001.csv"
    write_review(path, [row()])
    data = path.read_bytes()
    assert data.startswith(b"\xef\xbb\xbfid,lang,")
    for again in (data[3:], data, b"\xef\xbb\xbf" + data):
        path.write_bytes(again)
        assert list(read_review(path).rows) == [row()]


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_other_delimiters_of_spreadsheets_are_understood(tmp_path, delimiter):
    path = tmp_path / "a.csv"
    cells = ["t0.a", "سرخ، ہے", "fix", f'"a{delimiter}b\nc"', "h"]
    header = ["id", "translation", "verdict", "correction", "hash"]
    path.write_text(f"{delimiter.join(header)}\r\n{delimiter.join(cells)}\r\n", encoding="utf-8")
    (read,) = read_review(path).rows
    assert (read.translation, read.correction) == ("سرخ، ہے", f"a{delimiter}b\nc")


def test_a_line_that_names_the_delimiter_is_skipped(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("sep=;\nid;translation;verdict;correction;hash\nt0.a;y;;;h\n", "utf-8")
    (read,) = read_review(path).rows
    assert (read.line, read.translation) == (3, "y")


def test_lines_are_counted_across_line_breaks_in_cells(tmp_path):
    path = tmp_path / "batch-0001.csv"
    write_review(path, [row(english="a\nb\nc"), row(id="t1.a")])
    assert [one.line for one in read_review(path).rows] == [2, 5]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le"])
def test_utf_16_is_refused_with_what_to_do(tmp_path, encoding):
    path = tmp_path / "batch-0001.csv"
    write_review(path, [row(translation="سرخ")])
    recode(path, encoding)
    found = read_review(path)
    assert found.rows == ()
    assert "UTF-16" in found.problems[0].problem and "CSV UTF-8" in found.problems[0].problem


def test_a_windows_code_page_is_refused_with_what_to_do(tmp_path):
    path = tmp_path / "batch-0001.csv"
    write_review(path, [row(translation="carré à côté")])
    recode(path, "cp1252")
    (problem,) = read_review(path).problems
    assert problem.line == 0
    assert "not UTF-8" in problem.problem and "CSV UTF-8" in problem.problem


def test_a_cell_too_long_for_a_spreadsheet_fails_and_writes_nothing(tmp_path):
    path = tmp_path / "batch-0001.csv"
    write_review(path, [row(translation="x" * MAX_CELL_CHARS)])
    assert len(read_review(path).rows[0].translation) == MAX_CELL_CHARS
    second = tmp_path / "batch-0002.csv"
    with pytest.raises(UserError, match=r"t0\.a: 'translation' has 32768 characters"):
        write_review(second, [row(translation="x" * (MAX_CELL_CHARS + 1))])
    assert not second.exists()


def test_a_hand_made_cell_beyond_the_csv_modules_limit_is_read(tmp_path):
    path = tmp_path / "a.csv"
    text = "x" * 200_000
    path.write_text(f"id,translation,verdict,correction,hash\nt0.a,y,fix,{text},h\n", "utf-8")
    assert read_review(path).rows[0].correction == text


def test_a_file_that_exists_is_never_overwritten(tmp_path):
    path = tmp_path / "batch-0001.csv"
    write_review(path, [row()])
    with pytest.raises(UserError, match="never overwritten"):
        write_review(path, [row(id="t9.b")])


def test_columns_may_move_and_more_may_come(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(
        "Hash , VERDICT,mine,correction,translation,id\nh,fix,!,دو,y,t0.a\n", encoding="utf-8"
    )
    (read,) = read_review(path).rows
    assert (read.id, read.verdict, read.correction) == ("t0.a", "fix", "دو")


def test_a_renamed_column_is_named_with_its_new_name(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("id,translation,verdict,corrections,hash\nt0.a,y,fix,z,h\n", "utf-8")
    found = read_review(path)
    assert found.rows == ()
    assert "'correction' (renamed to 'corrections'?)" in found.problems[0].problem


def test_empty_rows_and_short_rows_are_no_error(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("id,translation,verdict,correction,hash,note\n,,,,,\nt0.a,y\n\n", "utf-8")
    found = read_review(path)
    assert [(one.id, one.verdict) for one in found.rows] == [("t0.a", "")]
    assert found.problems == ()


def test_a_row_with_too_many_cells_is_reported_and_the_next_is_read(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("id,translation,verdict,correction,hash\na,b,c,d,e,f\nt0.a,y,,,h\n", "utf-8")
    found = read_review(path)
    assert [one.line for one in found.problems] == [2]
    assert [one.id for one in found.rows] == ["t0.a"]


@pytest.mark.parametrize("data", [b"", b"\xef\xbb\xbf", b"\r\n\r\n"])
def test_an_empty_file_is_a_problem(tmp_path, data):
    path = tmp_path / "a.csv"
    path.write_bytes(data)
    assert read_review(path).problems[0].problem == "the file is empty"


def test_ids_begin_with_a_letter_and_come_back(tmp_path):
    assert review_id("000000525439-1e5", 3) == "t3.000000525439-1e5"
    assert parse_review_id("t3.000000525439-1e5") == ("000000525439-1e5", 3)
    assert parse_review_id("t12.a.b") == ("a.b", 12)
    assert [parse_review_id(text) for text in ("", "3", "tx.a", "t1.", "t१.a")] == [None] * 5


def test_the_hash_forgives_what_spreadsheets_retouch():
    assert text_hash("a\u00a0“b” l’œil\r\nc") == text_hash('a "b" l\'œil\nc')
    assert text_hash("\u0958") == text_hash("\u0915\u093c")  # one Devanagari letter, NFC
    assert text_hash("دو") != text_hash("دو۔")


def test_the_hash_holds_english_and_translation_apart():
    assert parse_export_hash(export_hash("a", "b")) == (text_hash("a"), text_hash("b"))
    assert parse_export_hash("1e5") is None


def test_sidecars_and_lock_files_are_no_review_csvs(tmp_path):
    for name in ("b.csv", "b.errors.csv", "~$b.csv", ".~lock.b.csv", "a.csv", "a.xlsx"):
        (tmp_path / name).write_bytes(b"")
    assert [path.name for path in review_csvs(tmp_path)] == ["a.csv", "b.csv"]


@pytest.mark.slow
def test_libreoffice_saves_every_cell_back(tmp_path, soffice):
    path = tmp_path / "batch-0001.csv"
    rows = [
        row(
            id=review_id(f"{at}", 0), translation=text, correction=text, hash=export_hash("x", text)
        )
        for at, text in enumerate(TEXTS.values())
    ]
    write_review(path, rows)
    out = tmp_path / "out"
    subprocess.run(
        [soffice, f"-env:UserInstallation=file://{tmp_path}/office", "--headless",
         "--infilter=CSV:44,34,76,1,,0,false,false", "--convert-to",
         "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,true,false", "--outdir", str(out),
         str(path)],
        check=True, capture_output=True, timeout=180,
    )  # fmt: skip
    found = read_review(out / path.name)
    assert found.problems == ()
    assert [one.id for one in found.rows] == [one.id for one in rows]
    for read, wrote in zip(found.rows, rows, strict=True):
        assert text_hash(read.translation) == text_hash(wrote.translation), wrote
        assert read.hash == wrote.hash
