"""`palo review` says where reviews stand and what a mailed file holds."""

import json

import pytest
import typer
from typer.testing import CliRunner

import refine.cli
from palo.errors import UserError


@pytest.fixture
def review(run, monkeypatch):
    app = typer.Typer()
    app.callback()(lambda: None)
    refine.cli.register(app)
    monkeypatch.setattr(refine.cli, "load_profile", lambda name: run.profile)

    def call(*arguments):
        result = CliRunner().invoke(app, ["review", *map(str, arguments)])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.output

    return call


def test_status_is_json_on_request(run, review):
    run.translated(run.left, run.lost)
    run.refine()
    (row,) = json.loads(review("status", "--lang", "ur", "--json"))
    assert (row["lang"], row["out"], row["done"], row["median_hours"]) == ("ur", 2, 0, None)


def test_status_without_reviews_says_what_to_run(review):
    with pytest.raises(UserError, match="Run `palo refine` first"):
        review("status", "--lang", "ur")


def test_import_says_line_and_reason_of_what_is_wrong(run, review, tmp_path):
    run.translated(run.left, run.lost)
    run.refine()
    changes = {"t1.left": {"verdict": "fix", "correction": "دو۔"}, "t0.lost": {"verdict": "x"}}
    run.edit(changes, save_as="Ana.csv")
    mailed = run.csv_path("Ana.csv").rename(tmp_path / "Ana.csv")
    before = run.files()
    said = review("import", mailed, "--dry-run")
    assert "ur: 1 reviewed turns would be taken in, 0 known before" in said
    assert "Ana.csv line 3 t0.lost verdict: unknown" in said
    assert run.files() == before
    assert "ur: 1 reviewed turns taken in, 0 known before" in review("import", mailed)


def test_a_file_of_two_languages_is_refused(run, review, tmp_path):
    run.translated(run.left, run.lost)
    run.refine()
    run.edit({"t1.left": {"lang": "fr"}}, save_as="Ana.csv")
    with pytest.raises(UserError, match="has rows of fr, ur"):
        review("import", run.csv_path("Ana.csv"))


def test_export_names_the_new_batch(run, review):
    run.translated(run.good, run.left)
    run.refine()
    assert "batch-0002.csv" in review("export", "--lang", "ur", "--only", "pass")
    assert "no turn of pass that is not out already" in review("export", "--only", "pass")
