"""`palo refine check` judges any file's pairs: a line a row, in order, and nothing is lost."""

import json

import pytest
import typer
from typer.testing import CliRunner

import refine.check
import refine.cli
from palo.errors import UserError
from palo.settings import RefineSettings
from refine.check import check_pairs
from refine.filters import TurnPair
from refine.pairs import Unreadable

GOOD = ("The circle is red.", "دائرہ سرخ ہے۔")
LEFT = ("The circle is red.", "The circle is red.")


@pytest.fixture
def palo(run, monkeypatch):
    app = typer.Typer()
    app.callback()(lambda: None)
    refine.cli.register(app)
    monkeypatch.setattr(refine.cli, "load_profile", lambda name: run.profile)

    def call(*arguments, **options):
        return CliRunner().invoke(app, ["refine", "check", *map(str, arguments)], **options)

    return call


def tsv(path, *rows):
    path.write_text("source\ttarget\n" + "".join("\t".join(row) + "\n" for row in rows), "utf-8")
    return path


def test_each_row_comes_out_in_order_with_verdict_and_reasons(palo, tmp_path):
    done = palo(tsv(tmp_path / "a.tsv", GOOD, LEFT), "--lang", "ur")
    assert done.exit_code == 0
    good, left = map(json.loads, done.stdout.splitlines())
    assert good == {
        "line": 2,
        "source": GOOD[0],
        "target": GOOD[1],
        "verdict": "pass",
        "reasons": [],
    }
    assert left["verdict"] == "reject"
    assert left["reasons"][0] == {
        "filter": "source_copy",
        "score": 1.0,
        "verdict": "reject",
        "reason": "same text as the English",
    }
    assert done.stderr.startswith("2 rows · pass 1 · note 0 · review 0 · reject 1\n")


def test_standard_input_is_tsv_or_jsonl_by_what_it_begins_with(palo):
    line = json.dumps(dict(zip(("source", "target"), GOOD, strict=True)))
    for text in (f"source\ttarget\n{GOOD[0]}\t{GOOD[1]}\n", line):
        done = palo("-", "--lang", "ur", input=text)
        assert json.loads(done.stdout)["verdict"] == "pass"


def test_rows_that_are_no_pairs_are_rejected_in_place_and_named_at_the_end(palo, tmp_path):
    output = tmp_path / "out.jsonl"
    path = tsv(tmp_path / "a.tsv", GOOD, ("lonely",), GOOD)
    done = palo(path, "--lang", "ur", "--output", output)
    assert isinstance(done.exception, UserError)
    assert "1 rows" in str(done.exception) and "(lines 3)" in str(done.exception)
    rows = [json.loads(line) for line in output.read_text("utf-8").splitlines()]
    assert [row["verdict"] for row in rows] == ["pass", "reject", "pass"]
    assert rows[1]["text"] == "lonely"
    assert rows[1]["reasons"][0]["reason"] == "1 columns, not 2"


def test_mistakes_are_told_before_anything_is_written(palo, tmp_path):
    path = tsv(tmp_path / "a.tsv", GOOD)
    for arguments, said in (
        ((path, "--lang", "urd"), "Unknown language 'urd'. Did you mean 'ur'"),
        ((path, "--lang", "ur,fr"), "one language here"),
        ((path, "--lang", "ur", "--output", path), "is the input itself"),
        ((tmp_path / "no.tsv", "--lang", "ur", "--output", tmp_path / "out"), "No such file"),
    ):
        assert said in str(palo(*arguments).exception)
    assert path.read_text("utf-8").endswith("ہے۔\n")
    assert not (tmp_path / "out").exists()


def test_processes_give_the_very_bytes_that_one_gives(monkeypatch):
    monkeypatch.setattr(refine.check, "_BATCH_ROWS", 16)
    monkeypatch.setattr(refine.check, "_ROWS_FOR_PROCESSES", 32)
    rows = [(n, TurnPair(f"Circle {n}.", f"دائرہ {n % 7}۔")) for n in range(200)]
    rows[77] = (77, Unreadable("no JSON"))
    written = []
    for processes in (1, 2):
        lines = []
        summary = check_pairs(rows, "ur", RefineSettings(processes=processes), lines.append)
        written.append(("".join(lines), summary))
    assert written[0] == written[1]
    assert [json.loads(line)["line"] for line in written[0][0].splitlines()] == list(range(200))
    assert written[0][1].unreadable == [77]
