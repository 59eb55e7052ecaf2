"""The report says what was kept, flagged and why, and what reviewing changed."""

import io
import re

import typer
from rich.console import Console
from typer.testing import CliRunner

import refine.cli
from palo.errors import UserError
from palo.files import read_json, write_json
from palo.shards import records_digest
from refine.report import Acceptance, accepted, collect, render, table


def reviewed(run):
    """Two turns flagged; one corrected in the first round, one accepted in the second."""
    run.translated(run.good, run.left)
    run.refine()
    run.edit({"t1.left": {"verdict": "fix", "correction": "دو۔"}})
    run.translated(run.lost, index=1)
    run.refine()
    run.edit({"t0.lost": {"verdict": "accept"}}, "batch-0002.csv")


def test_it_counts_what_was_kept_flagged_and_why(run):
    run.translated(run.good, run.left, run.lost)
    run.refine()
    found = collect(run.profile, "ur")
    assert (found.samples, found.kept, found.turns) == (3, 1, 6)
    assert found.flagged_share == 2 / 6
    assert found.by_reason["structure"] == 1
    assert {one.finding.filter for one in found.examples} == set(found.by_reason)
    assert found.identified["ur"] == 5
    assert sum(found.ratios.values()) == 3  # questions; the answers are too short to tell
    assert (found.rounds, found.before_after, found.audits) == ([], None, [])


def test_the_flagged_share_is_told_as_it_was_at_first_and_as_it_is(run):
    run.translated(run.good, run.left)
    run.refine()
    assert collect(run.profile, "ur").flagged_shares == (1 / 4, None)
    run.edit({"t1.left": {"verdict": "fix", "correction": "دو۔"}})
    run.refine(now="2026-01-02")
    run.refine(now="2026-01-03")
    found = collect(run.profile, "ur")
    assert found.flagged_shares == (1 / 4, 0.0)
    assert [one.at for one in found.history] == ["2026-01-01", "2026-01-02"]


def test_rounds_of_review_tell_what_was_made_of_their_turns(run):
    reviewed(run)
    first, second = collect(run.profile, "ur").rounds
    assert (first.name, first.kind) == ("batch-0001", "flagged")
    assert (first.score.decided, first.score.edit_rate) == (1, 1.0)
    assert first.score.chrf < 20
    assert (second.name, second.score.edit_rate, second.score.chrf) == ("batch-0002", 0.0, 100.0)
    assert second.score.signature.startswith("nrefs:1")


def test_a_file_of_any_name_counts_for_its_batch_and_the_third_person_decides(run):
    run.translated(run.left, run.lost)
    run.refine()
    fix = {"t1.left": {"verdict": "fix", "correction": "دو۔", "reviewer": "Ana"}}
    run.edit(fix, save_as="Ana.csv")
    run.edit({"t1.left": {"verdict": "reject", "reviewer": "Ben"}}, save_as="Ben.csv")
    run.refine()
    run.edit({"t1.left": {"verdict": "fix", "correction": "دو ہیں۔"}}, "adjudicate-0001.csv")
    (found,) = collect(run.profile, "ur").rounds
    assert (found.name, found.score.decided) == ("batch-0001", 1)
    assert found.rows["t1.left"].human == "دو ہیں۔"


def test_rounds_come_by_number_then_name_and_a_name_without_a_number_first(run):
    new = run.conversation("new", "ur", run.good_question, ("Red.", "Red."))
    run.translated(run.left, run.lost, new)
    run.refine()
    names, ledger = ["mine", "batch-0001", "batch-1"], run.csv_path("exported.json")
    batch = read_json(ledger)["batch-0001"]
    rows = zip(names, batch["rows"].items(), strict=True)
    write_json(ledger, {name: batch | {"rows": dict([row])} for name, row in rows})
    accepted = [row | {"verdict": "accept"} for row in run.rows()]
    run.save(sorted(accepted, key=lambda row: row["id"], reverse=True), "batch-0001.csv")
    assert [told.name for told in collect(run.profile, "ur").rounds] == names


def test_two_rounds_of_one_translator_are_no_before_and_after(run):
    reviewed(run)
    told = collect(run.profile, "ur").before_after
    assert (told.of_all, told.before.edit_rate, told.after) == (False, 0.5, None)


def test_a_file_nobody_has_filled_in_is_no_round(run):
    run.translated(run.left)
    run.refine()
    assert collect(run.profile, "ur").rounds == []


def test_the_plan_is_met_open_or_failed():
    assert accepted(132, 3, 132, 3) is Acceptance.MET
    assert accepted(132, 4, 132, 3) is Acceptance.FAILED
    assert accepted(60, 3, 132, 3) is Acceptance.OPEN
    assert accepted(60, 4, 132, 3) is Acceptance.FAILED
    assert accepted(264, 6, 132, 3) is Acceptance.MET
    assert accepted(264, 7, 132, 3) is Acceptance.FAILED


def test_the_page_stands_alone_and_shows_examples_in_their_direction(run):
    reviewed(run)
    run.translated(run.conversation("new", "ur", run.good_question, ("Red.", "Red.")), index=2)
    run.refine()
    page = render("test", [collect(run.profile, "ur")])
    asked_for = re.findall(r"""(?:src|href)=["']([^"']+)|url\(([^)]+)\)|@import""", page)
    assert {one for pair in asked_for for one in pair if one and not one.startswith("#")} == set()
    assert 'lang="ur" dir="rtl"' in page
    assert page.count("<svg") == 3
    assert "batch-0002" in page


def test_a_script_in_a_translation_stays_text(run):
    bad = run.conversation("bad", "ur", run.good_question, ("Two.", "<script>x()</script>"))
    run.translated(bad)
    run.refine()
    page = render("test", [collect(run.profile, "ur")])
    assert "&lt;script&gt;" in page and "<script>" not in page


def test_the_command_writes_json_and_page_and_needs_something_refined(run, monkeypatch):
    app = typer.Typer()
    app.callback()(lambda: None)
    refine.cli.register(app)
    monkeypatch.setattr(refine.cli, "load_profile", lambda name: run.profile)
    nothing = CliRunner().invoke(app, ["refine", "report"])
    assert isinstance(nothing.exception, UserError)
    assert "Run `palo refine` first" in str(nothing.exception)
    reviewed(run)
    assert CliRunner().invoke(app, ["refine", "report", "--lang", "ur,fr"]).exit_code == 0
    said = read_json(run.root / "refine-report.json")
    assert said["acceptance"] == {"rows": 132, "max_errors": 3}
    assert list(said["languages"]) == ["ur"]
    assert said["languages"]["ur"]["before_after"]["before"]["edit_rate"] == 0.5
    assert said["languages"]["ur"]["rounds"][0]["edit_rate"] == 1.0
    assert said["languages"]["ur"]["shards"] == records_digest(run.root / "refined" / "ur")
    assert said["filters"]["thresholds"]["ur"]["length_ratio"] == [0.66, 1.58]
    assert said["filters"]["filters"]["duplicate"].startswith("the same translation")
    assert said["filters"]["calibrated"] == []
    assert (run.root / "refine-report.html").is_file()
    (run.root / "review" / "fr").mkdir(parents=True)
    one = CliRunner().invoke(app, ["refine", "report", "--lang", "fr"])
    assert one.exit_code == 0
    assert "ur" not in one.output.split("Report:")[0].split()
    assert list(read_json(run.root / "refine-report.json")["languages"]) == ["fr", "ur"]


def test_the_table_fits_eighty_columns(run):
    reviewed(run)
    console = Console(width=80, file=io.StringIO(), soft_wrap=False)
    console.print(table([collect(run.profile, "ur")], "test"))
    shown = console.file.getvalue()
    assert "…" not in shown
    assert "*: of the flagged turns alone" in shown
