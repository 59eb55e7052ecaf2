"""`palo bench build`: translate's and refine's work on one set, from the front door."""

import csv
import json
import shlex
from pathlib import Path

import pytest
import yaml

from palo import cli
from palo.benchmark_set import read_set
from palo.cli import guarded
from palo.files import read_json
from palo.paths import DataPaths, source_root
from palo.settings import load_profile
from sceneworld.truth import BENCH_TRUTH, load_truth, measure_language

BUILD = "bench build --lang ur --engine scripted"


@pytest.fixture
def run(capsys):
    """Runs a command line in this process: exit code, standard output, standard error."""

    def run(line):
        code = guarded(lambda: cli.app(args=shlex.split(line)))
        return (code, *capsys.readouterr())

    return run


@pytest.fixture
def root(project, run):
    assert run("sample build")[0] == 0
    return project / "data/sample/world/bench"


def review_dir(root, lang="ur"):
    return source_root(load_profile("sample").data_dir, root) / "review" / lang


def edited(path, change):
    """The review file with `change` made to its rows, saved as a spreadsheet does."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        table = csv.DictReader(file)
        header, rows = table.fieldnames, list(table)
    for row in rows:
        change(row)
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, header)
        writer.writeheader()
        writer.writerows(rows)


def test_a_set_is_translated_queued_reviewed_and_then_is_the_truth(root, run):
    code, output, error = run(BUILD)
    assert code == 3 and "- ur: question 0, " in error and "--allow-missing" in error
    assert "ur: to review: " in output and not (root / "ur").exists()
    assert run(f"sample review --source {shlex.quote(str(root))}")[0] == 0
    code, output, _ = run(BUILD)
    assert code == 0 and " 0 segments sent" in output
    english, urdu = read_set(root, "en"), read_set(root, "ur")
    truth = load_truth(root.parent / BENCH_TRUTH)
    for before, after in zip(english.questions, urdu.questions, strict=True):
        assert after.text == truth["", before.text]["ur"]
        answer = english.reference()[before.question_id].text
        assert urdu.reference()[after.question_id].text == truth[before.text, answer]["ur"]
        assert urdu.reference()[after.question_id].prompt == after.text
    for before, after in zip(english.captions, urdu.captions, strict=True):
        assert after.captions[0] == truth["", before.captions[0]]["ur"]
    manifest = read_json(root / "ur" / "bench.json")
    assert manifest["review"] == {"turns": 21, "verified": 21, "waiting": 0}


def test_every_turn_can_be_scored_against_the_truth(root, run):
    run(BUILD)
    paths = DataPaths(load_profile("sample").on(root).data_dir)
    truth = load_truth(root.parent / BENCH_TRUTH)
    figures = measure_language("ur", truth, paths.translated("ur"), paths.refined("ur"))
    # nine questions, nine answers, three captions, none of which numbers translate
    assert (figures.turns, figures.wrong, figures.false_alarms) == (21, 21, 0)
    assert figures.chrf < 10


def test_a_corrected_row_changes_the_built_file_at_the_next_build(root, run):
    run(BUILD)
    run(f"sample review --source {shlex.quote(str(root))}")
    run(BUILD)
    before = {path.name: path.read_bytes() for path in (root / "ur").iterdir()}
    asked = read_set(root, "en").questions[0].text
    (path,) = review_dir(root).glob("batch-0001.csv")

    def better(row):
        if row["english"] == asked:
            row["verdict"], row["correction"] = "fix", "یہ سوال کس نے لکھا ہے؟"

    edited(path, better)
    code, output, _ = run(BUILD)
    assert code == 0 and "0 segments sent" in output
    assert read_set(root, "ur").questions[0].text == "یہ سوال کس نے لکھا ہے؟"
    after = {path.name: path.read_bytes() for path in (root / "ur").iterdir()}
    assert after["context.jsonl"] == before["context.jsonl"]
    assert run(BUILD)[0] == 0
    assert {path.name: path.read_bytes() for path in (root / "ur").iterdir()} == after


def test_the_other_commands_find_the_set_by_its_folder(root, run):
    run(BUILD)
    where = f"--source {shlex.quote(str(root))}"
    code, output, _ = run(f"review status {where}")
    assert code == 0 and str(review_dir(root).parents[1]) in output.replace("\n", "")
    code, output, _ = run(f"refine --lang ur {where}")
    assert code == 0 and "ur" in output
    assert load_profile("sample").on(root).source.images_dir == root / "images"


DOCS = Path(__file__).parents[2] / "docs" / "evaluating.md"


def documented():
    """The commands of the pages on building and reviewing, in order."""
    text = DOCS.read_text(encoding="utf-8").partition("## Judging")[0]
    return [line.partition("#")[0].strip() for line in text.splitlines() if line[:9] == "    palo "]


def test_every_command_of_the_docs_does_what_they_say(project, run, monkeypatch):
    def stop(server):
        raise KeyboardInterrupt

    monkeypatch.chdir(project)
    monkeypatch.setattr("webbrowser.open", lambda url: None)
    monkeypatch.setattr("refine.serve.ReviewServer.serve_forever", stop)
    lines = documented()
    assert len(lines) == 7
    codes = {}
    for line in lines:
        command = line.removeprefix("palo ").replace("DIR", "data/sample/world/bench")
        if command.startswith("bench build"):
            command += " --engine scripted"
        codes.setdefault(line, []).append(run(command)[0])
    # the scripted engine's words pass nowhere, so only what was reviewed is written
    build = codes.pop("palo bench build --lang ur")
    assert build == [3, 0]
    assert codes.pop("palo bench build --lang ur --bench DIR") == [3]
    assert set(map(tuple, codes.values())) == {(0,)}


def test_questions_are_left_out_only_when_asked_for(root, run):
    code, output, error = run(f"{BUILD} --allow-missing")
    # the scripted engine's words pass for no caption, so nothing would be left
    assert code == 3 and "not written" in output and error.startswith("Not written, ")
    run(f"sample review --source {shlex.quote(str(root))}")
    edited(review_dir(root) / "batch-0001.csv", reject_answer_7)
    code, output, _ = run(f"{BUILD} --allow-missing")
    assert (code, output.splitlines()[-1].split("; ")[-1]) == (0, "left out: question 7")
    assert [one.question_id for one in read_set(root, "ur").questions] == [*range(7), 8]


def reject_answer_7(row):
    """A description, of which the scripted engine's numbers are surely too short a translation."""
    if row["id"].startswith("t1.q7-"):
        row.update(verdict="reject", correction="", error_type="", all_copies="")


def test_a_folder_of_ones_own_in_llavas_layout_is_built_beside_itself(project, run, tmp_path):
    folder = tmp_path / "wild"
    folder.mkdir()
    rows = {
        "questions": {"question_id": 0, "image": "1.jpg", "text": "1 + 1", "category": "conv"},
        "answers_gpt4": {"question_id": 0, "text": "2", "answer_id": "x"},
        "context": {"id": "1", "image": "1.jpg", "caption": "https://example.org"},
    }
    for name, row in rows.items():
        (folder / f"{name}.jsonl").write_text(json.dumps(row) + "\n")
    code, _, _ = run(f"bench build --lang ur,fr --engine scripted --bench {folder}")
    assert code == 0
    for lang in ("ur", "fr"):
        assert (folder / lang / "questions.jsonl").read_bytes() == (
            folder / "questions.jsonl"
        ).read_bytes()
        assert read_json(folder / lang / "bench.json")["turns"] == {"copied": 3}
    (folder / "ur" / "context.jsonl").write_text("a person's")
    code, _, error = run(f"bench build --lang ur --engine scripted --bench {folder}")
    assert code == 2 and "was edited since it was built" in error


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (f"{BUILD} --bench /absent", "No bench folder /absent: check the path."),
        (BUILD, "No bench folder {project}/data/sample/world/bench: run `palo sample build`."),
        ("bench build --lang urd", "No bench folder "),
        (f"{BUILD} --bench .", "No questions.jsonl of 'en' in "),
        ("bench build --lang urd --bench .", "Unknown language 'urd'. Did you mean 'ur'?"),
        ("bench build --lang ur --bench . --engine x", "Unknown engine 'x'."),
        ("bench build", "--lang"),
    ],
)
def test_a_users_mistake_is_answered_in_a_sentence(project, run, monkeypatch, line, message):
    monkeypatch.chdir(project)
    code, _, error = run(line)
    assert code == 2 and message.format(project=project) in error and "Traceback" not in error


def test_a_profile_without_a_bench_says_how_to_name_one(project, run):
    path = project / "pipelines.yaml"
    settings = yaml.safe_load(path.read_text(encoding="utf-8"))
    del settings["profiles"]["sample"]["bench"]
    path.write_text(yaml.safe_dump(settings), encoding="utf-8")
    code, _, error = run(BUILD)
    assert (code, error) == (
        2,
        "Profile 'sample' names no bench: give --bench DIR, or set bench.path in pipelines.yaml.\n",
    )
