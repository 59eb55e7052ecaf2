"""The report's figures are what the stages wrote; what has not run is missing, not zero."""

import os

import pytest

from palo.errors import UserError
from palo.files import write_json
from palo.report import Answers, ExampleTurn, collect
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


def of(figures, lang):
    return next(row for row in figures.languages if row.lang == lang)


def test_before_any_run_nothing_is_known(project):
    figures = collect(load_profile("sample"), {})
    assert (figures.profile, figures.scale, figures.examples) == ("sample", "", ())
    assert (figures.finetune, figures.evaluation, figures.steps) == ({}, {}, ())
    assert len(figures.languages) == 10
    assert all(row.answers is None and row.truth is None for row in figures.languages)


def test_english_has_no_translation_status_and_the_others_have(run_data):
    figures = collect(run_data, {})
    assert of(figures, "en").status is None
    assert (of(figures, "ur").status.translated, of(figures, "ur").status.kept) == (2, 1)
    assert of(figures, "ur").by_reason == {"script": 1, "language": 1}
    assert of(figures, "fr").by_reason == {}


def test_languages_have_their_names_and_their_truth(run_data):
    figures = collect(run_data, {"ur": "what truth says"})
    assert (of(figures, "ur").name, of(figures, "ur").truth) == ("Urdu", "what truth says")
    assert of(figures, "fr").truth is None


def test_the_evaluation_written_last_counts(run_data):
    paths = run_data.paths
    write_json(paths.evaluation("7b"), {"scale": "7b", "languages": {"ur": ROW, "en": ROW}})
    write_json(paths.evaluation("1.7b"), {"scale": "1.7b", "languages": {"ur": ROW}})
    os.utime(paths.evaluation("1.7b"), (1, 1))
    figures = collect(run_data, {})
    assert figures.scale == "7b"
    assert of(figures, "ur").answers == Answers(240, 0.9, 0.2, 0.2, 0.5, 1.0)
    assert of(figures, "fr").answers is None


def test_an_evaluation_of_a_version_that_measured_less_is_left_out(run_data):
    paths = run_data.paths
    old = {name: value for name, value in ROW.items() if name != "reasoning"}
    write_json(paths.evaluation("7b"), {"scale": "7b", "languages": {"ur": old}})
    assert of(collect(run_data, {}), "ur").answers is None


def test_reports_of_the_translator_and_of_the_demo_are_taken_as_they_are(run_data):
    report = {"languages": {"ur": {"chrf_before": 80.0, "chrf_after": 95.0}}}
    step = {"title": "one", "command": "palo x", "seconds": 1.5, "skipped": ""}
    write_json(run_data.paths.translator_report, report)
    write_json(run_data.data_dir / "demo-times.json", [step])
    figures = collect(run_data, {})
    assert (figures.finetune, figures.steps) == (report, (step,))


def test_examples_are_answers_worst_first_with_question_picture_and_reasons(run_data):
    images_dir = run_data.source.images_dir
    asked = "<image>\nHow many stars are there?"
    worse = ExampleTurn(
        lang="ur",
        image_path=images_dir / "source/broken.jpg",
        previous=asked,
        english="1.",
        translation="<b>two</b>",
        verdict=Verdict.REVIEW,
        reasons="no Arabic letters; looks like en",
    )
    better = ExampleTurn(
        "ur", images_dir / "source/red.jpg", asked, "0.", "دو ستارے۔", Verdict.PASS, ""
    )
    assert collect(run_data, {}).examples == (worse, better)


def test_a_broken_file_among_the_reports_is_named(run_data):
    (run_data.data_dir / "demo-times.json").write_text("{")
    with pytest.raises(UserError, match=r"demo-times\.json is not valid JSON"):
        collect(run_data, {})
