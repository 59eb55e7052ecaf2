"""`palo refine` says what it did and what to do next."""

import pytest
import typer
from typer.testing import CliRunner

import refine.cli
from palo.errors import UserError


@pytest.fixture
def palo(run, monkeypatch):
    app = typer.Typer()
    app.callback()(lambda: None)
    refine.cli.register(app)
    monkeypatch.setattr(refine.cli, "load_profile", lambda name: run.profile)

    def call(*arguments):
        result = CliRunner().invoke(app, ["refine", *arguments])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.output

    return call


def test_it_prints_the_profile_first_and_a_row_a_language(run, palo):
    run.translated(run.good, run.left)
    lines = palo("--lang", "ur").splitlines()
    assert lines[0].startswith("palo refine · profile test")
    (row,) = [line for line in lines if line.startswith("│ ur")]
    assert [cell.strip() for cell in row.strip("│").split("│")][:6] == [
        "ur",
        "2",
        "1",
        "1",
        "0",
        "1",
    ]


def test_it_names_the_file_to_review_and_the_sidecar_of_a_bad_one(run, palo):
    run.translated(run.left)
    assert "batch-0001.csv" in palo()
    run.edit({"t1.left": {"verdict": "acept"}})
    assert "1 rows of batch-0001.csv were not taken; batch-0001.errors.csv" in palo()


def test_nothing_to_refine_says_to_translate_first(palo):
    with pytest.raises(UserError, match="Run `palo translate --lang fr,ur` first"):
        palo("--lang", "ur,fr")


def test_no_seed_says_to_make_one(palo):
    with pytest.raises(UserError, match="palo translator seed --lang ur"):
        palo("--lang", "ur", "--seed")


def test_an_unknown_language_is_named(palo):
    with pytest.raises(UserError, match="Unknown language 'urd'"):
        palo("--lang", "urd")


def test_the_seed_is_exported_and_taken_in(run, palo):
    run.seed(run.left)
    assert "seed-0001.csv" in palo("--seed")
    run.edit({"t1.left": {"verdict": "fix", "correction": "دو۔"}}, "seed-0001.csv")
    assert "1 reviewed turns taken in" in palo()
