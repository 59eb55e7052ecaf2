"""The report's figures are what the stages wrote; what has not run is missing, not zero."""

import os

import pytest

from palo.errors import UserError
from palo.files import write_json
from palo.languages import LANGUAGES
from palo.report import AgainstTruth, collect
from palo.schemas import Verdict
from palo.settings import load_profile

ROW = {
    "questions": 240,
    "accuracy": 0.9,
    "accuracy_shuffled": 0.2,
    "chance": 0.2,
    "reasoning": 0.5,
    "fidelity": 1.0,
}


def test_before_any_run_nothing_is_known(project):
    figures = collect(load_profile("sample"), {})
    assert (figures.profile, figures.examples, figures.signatures) == ("sample", (), [])
    assert (figures.finetune, figures.evaluation, figures.steps) == ({}, {}, ())
    assert list(figures.languages.index) == list(LANGUAGES)
    assert figures.languages[["accuracy", "chrf", "turns"]].isna().all(axis=None)


def test_english_has_no_translation_status_and_the_others_have(run_data):
    figures = collect(run_data, {})
    assert figures.languages.loc["en"].isna().all()
    assert (figures.languages.translated["ur"], figures.languages.kept["ur"]) == (2, 1)
    assert figures.languages.translated["fr"] == 0
    assert figures.by_reason["ur"] == {"script": 1, "language": 1}
    assert figures.by_reason["fr"] == {} and "en" not in figures.by_reason


def test_languages_have_their_truth(run_data):
    figures = collect(run_data, {"ur": AgainstTruth(20, 4, 3, 1, 90.5, "nrefs:1")})
    urdu = figures.languages.loc["ur", ["turns", "wrong", "caught", "chrf"]]
    assert list(urdu) == [20, 4, 3, 90.5]
    assert figures.languages.loc["fr", urdu.index].isna().all()
    assert figures.signatures == ["nrefs:1"]


def test_the_evaluation_written_last_counts(run_data):
    paths = run_data.paths
    write_json(paths.evaluation("7b"), {"scale": "7b", "languages": {"ur": ROW, "en": ROW}})
    write_json(paths.evaluation("1.7b"), {"scale": "1.7b", "languages": {"ur": ROW}})
    os.utime(paths.evaluation("1.7b"), (1, 1))
    figures = collect(run_data, {})
    assert figures.evaluation["scale"] == "7b"
    names = [name for name in ROW if name != "questions"]
    assert list(figures.languages.loc["ur", names]) == [0.9, 0.2, 0.2, 0.5, 1.0]
    assert figures.languages.loc["fr", names].isna().all()


def test_no_question_that_takes_reasoning_leaves_that_figure_out(run_data):
    write_json(run_data.paths.evaluation("7b"), {"languages": {"ur": ROW | {"reasoning": None}}})
    figures = collect(run_data, {})
    assert figures.languages.isna().reasoning["ur"] and figures.languages.accuracy["ur"] == 0.9


def test_an_evaluation_of_a_version_that_measured_less_is_left_out(run_data):
    paths = run_data.paths
    old = {name: value for name, value in ROW.items() if name != "reasoning"}
    write_json(paths.evaluation("7b"), {"scale": "7b", "languages": {"ur": old}})
    assert collect(run_data, {}).languages.accuracy.isna().all()


def test_reports_of_the_translator_and_of_the_demo_are_taken_as_they_are(run_data):
    report = {"languages": {"ur": {"chrf_before": 80.0, "chrf_after": 95.0}}}
    step = {"title": "one", "command": "palo x", "seconds": 1.5, "skipped": ""}
    write_json(run_data.paths.translator_report, report)
    write_json(run_data.data_dir / "demo-times.json", [step])
    figures = collect(run_data, {})
    assert (figures.finetune, figures.steps) == (report, (step,))


def test_examples_are_answers_worst_first(run_data):
    examples = collect(run_data, {}).examples
    assert [turn for _, turn in examples] == [1, 1]
    assert [row.turn_verdicts[1] for row, _ in examples] == [Verdict.REVIEW, Verdict.PASS]
    images = [row.sample.image for row, _ in examples]
    assert images == ["source/broken.jpg", "source/red.jpg"]


def test_a_broken_file_among_the_reports_is_named(run_data):
    (run_data.data_dir / "demo-times.json").write_text("{")
    with pytest.raises(UserError, match=r"demo-times\.json is not valid JSON"):
        collect(run_data, {})
