"""Pairs come out of every format as they went in; what is no pair is named by its line."""

import gzip
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from palo.errors import UserError
from refine.filters import TurnPair
from refine.pairs import Unreadable, read_pairs, read_rows

PAIRS = [
    TurnPair("Red.", "سرخ۔"),
    TurnPair('He said "two".', "उसने कहा\u2028दो।"),
    TurnPair("Zero-width: a\u200db", "零，一\u0085二"),
]


def write(path, text):
    path.write_bytes(text.encode("utf-8"))
    return path


def as_tsv(header="source\ttarget\n", end="\n"):
    return header + "".join(f"{one.source}\t{one.target}{end}" for one in PAIRS)


def as_jsonl():
    return "".join(json.dumps({"id": 1, **vars(one)}) + "\n" for one in PAIRS)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.tsv", as_tsv()),
        ("a.tsv", "\ufeff" + as_tsv(end="\r\n")),
        ("a.tsv", as_tsv(header="")),
        ("a.jsonl", as_jsonl()),
        ("a.csv", 'id,target,source\n1,سرخ۔,Red.\n2,उसने कहा\u2028दो।,"He said ""two""."\n'
                  "3,零，一\u0085二,Zero-width: a\u200db\n"),
    ],
)  # fmt: skip
def test_every_text_format_gives_the_pairs_as_they_are(tmp_path, name, text):
    assert list(read_pairs(write(tmp_path / name, text))) == PAIRS
    packed = tmp_path / f"{name}.gz"
    packed.write_bytes(gzip.compress(text.encode("utf-8")))
    assert list(read_pairs(packed)) == PAIRS


def test_parquet_gives_the_pairs_whatever_other_columns_it_has(tmp_path):
    path = tmp_path / "a.parquet"
    rows = [{"target": one.target, "id": 7, "source": one.source} for one in PAIRS * 2000]
    pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=500)
    assert list(read_pairs(path)) == PAIRS * 2000


def test_columns_are_found_by_name_among_others(tmp_path):
    path = write(tmp_path / "a.tsv", "id\ttarget\tsource\n1\tسرخ۔\tRed.\n")
    assert list(read_pairs(path)) == [PAIRS[0]]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.tsv", "source\ttext\nRed.\tسرخ۔\n", "has no column target. Its columns: source, text"),
        ("a.tsv", "", None),
        ("a.csv", "en,ur\n", "has no column source and no target. Its columns: en, ur"),
        ("a.txt", "Red.\tسرخ۔\n", "Unknown format: a.txt"),
        ("a.tsv", "a\0b\tc\n", "binary file"),
        ("a.tsv.gz", "no gzip", "no gzip"),
        ("a.parquet", "no parquet", "Cannot read"),
    ],
)
def test_a_file_that_cannot_be_read_is_a_mistake_in_words(tmp_path, name, text, said):
    path = write(tmp_path / name, text)
    if said is None:
        assert list(read_rows(path)) == []
        return
    with pytest.raises(UserError, match=said):
        list(read_rows(path))


def test_a_file_that_is_not_there_and_a_parquet_without_the_columns(tmp_path):
    with pytest.raises(UserError, match="No such file"):
        list(read_rows(tmp_path / "none.tsv"))
    with pytest.raises(UserError, match="No such file"):
        list(read_rows(tmp_path / "none.parquet"))
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"source": ["a"], "translation": ["b"]}), path)
    with pytest.raises(UserError, match=r"has no column target. Its columns: source, translation"):
        list(read_rows(path))


BAD_LINES = [
    ('{"source": "Red."', "no JSON: Expecting ',' delimiter"),
    ('["Red.", "x"]', "no JSON object"),
    ('{"source": "Red."}', "no target in the object"),
    ('{"source": "Red.", "target": null}', "target is no text but null"),
    ('{"source": "Red.", "target": 3}', "target is no text but a int"),
    ('{"source": "\\ud83d", "target": "x"}', "source holds half of a character (a lone surrogate)"),
    ("[" * 100_000, "no JSON: maximum recursion depth exceeded"),
]


@pytest.mark.parametrize(("line", "reason"), BAD_LINES)
def test_a_bad_line_costs_only_itself_and_is_named_by_its_number(tmp_path, line, reason):
    good = json.dumps(vars(PAIRS[0]))
    path = write(tmp_path / "a.jsonl", f"{good}\n\n{line}\n{good}\n")
    first, (number, bad), last = read_rows(path)
    assert (first, last) == ((1, PAIRS[0]), (4, PAIRS[0]))
    assert number == 3
    assert isinstance(bad, Unreadable)
    assert bad.reason.startswith(reason)
    with pytest.raises(UserError, match="line 3: "):
        list(read_pairs(path))


def test_a_row_of_other_width_and_bytes_that_are_no_utf8_are_refused(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_bytes("source\ttarget\nRed.\nCaf\xe9.\tx\nRed.\tسرخ۔\n".encode())
    data = path.read_bytes().replace(b"Caf\xc3\xa9", b"Caf\xe9")
    path.write_bytes(data)
    assert list(read_rows(path)) == [
        (2, Unreadable("1 columns, not 2", "Red.")),
        (3, Unreadable("no UTF-8 at byte 4 of the line", "Caf\ufffd.\tx")),
        (4, PAIRS[0]),
    ]


def test_a_gzip_that_breaks_off_gives_what_came_before(tmp_path):
    path = tmp_path / "a.tsv.gz"
    text = "".join(f"Red {n}.\tسرخ {n * 7919 % 1000}۔\n" for n in range(50_000))
    path.write_bytes(gzip.compress(text.encode("utf-8"))[:-5000])
    rows = list(read_rows(path))
    assert len(rows) > 1000
    assert isinstance(rows[-1][1], Unreadable)
    assert rows[-1][1].reason.startswith("the rest of the file is damaged")
    assert not any(isinstance(row, Unreadable) for _, row in rows[:-1])
