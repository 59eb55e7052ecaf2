"""`palo sample build` and `palo sample review`."""

import csv
import json

import pytest
import typer
import yaml

from palo.errors import Locked, UserError
from palo.files import run_lock
from palo.paths import DataPaths
from palo.settings import load_profile
from sceneworld.cli import build, pretrain, register, review

COLUMNS = [
    *("id", "lang", "image", "previous", "english", "translation", "reasons"),
    *("verdict", "correction", "error_type", "all_copies", "note", "reviewer", "hash"),
]


@pytest.fixture
def world_dir(project):
    return DataPaths(load_profile("sample").data_dir).world_dir


def contents(folder):
    """Path -> bytes of everything in a folder but the lock."""
    files = [path for path in folder.rglob("*") if path.is_file() and ".lock" not in path.name]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def lines(capsys):
    return capsys.readouterr().out.splitlines()


def test_both_commands_are_part_of_palo_sample():
    app = typer.Typer()
    register(app)
    (group,) = app.registered_groups
    assert group.name == "sample"
    assert [command.name for command in group.typer_instance.registered_commands] == [
        "build",
        "review",
    ]


def test_build_writes_the_world_and_says_how_much(world_dir, capsys):
    build()
    source = json.loads((world_dir / "source.json").read_text(encoding="utf-8"))
    turns = sum(len(sample["conversations"]) for sample in source)
    questions = (world_dir / "evaluation.jsonl").read_text(encoding="utf-8").splitlines()
    first, last = lines(capsys)
    assert first.startswith("palo sample build · profile sample · data ")
    assert last == (
        f"{len(source)} samples, {turns} turns, 6 captions, {len(questions)} held-out questions "
        f"in {world_dir}"
    )
    assert len(source) >= 18 and len(questions) == 21


def test_a_world_that_is_up_to_date_is_left_alone(world_dir, capsys):
    build()
    (world_dir / "source.json").write_text("[]")
    build()
    assert (world_dir / "source.json").read_text() == "[]"
    assert lines(capsys)[-1] == f"{world_dir} is up to date"


def test_other_settings_build_another_world(world_dir, project):
    build()
    before = contents(world_dir)
    path = project / "pipelines.yaml"
    settings = yaml.safe_load(path.read_text())
    settings["profiles"]["sample"]["world"]["seed"] = 8
    path.write_text(yaml.safe_dump(settings))
    build()
    assert contents(world_dir)["source.json"] != before["source.json"]


def test_an_interrupted_build_is_done_again(world_dir):
    build()
    whole = contents(world_dir)
    (world_dir / "built.json").unlink()
    (world_dir / "source.json").write_text("[")
    build()
    assert contents(world_dir) == whole


def test_one_build_at_a_time(world_dir):
    with run_lock(world_dir, "palo sample build"), pytest.raises(Locked, match="is in use"):
        build()


@pytest.mark.parametrize("command", [build, review])
def test_a_profile_of_real_data_has_no_sample_world(project, command):
    with pytest.raises(UserError) as raised:
        command(profile="palo")
    assert str(raised.value) == (
        "Profile 'palo' works on real data and has no sample world. Use --profile sample."
    )


@pytest.fixture
def reviewable(world_dir):
    """A world of one sentence, and a function that writes review CSVs."""
    world_dir.mkdir(parents=True)
    row = {"context": "", "en": "Where is it?", "fr": "Où est-ce ?"}
    (world_dir / "truth.jsonl").write_text(json.dumps(row), encoding="utf-8")

    def write(name, translation):
        path = world_dir.parent / "review" / "fr" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", encoding="utf-8-sig", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS, restval="")
            writer.writeheader()
            row = {"id": "t0.a", "lang": "fr", "english": "Where is it?"}
            writer.writerow(row | {"translation": translation})
        return path

    return write


def verdict(path):
    with path.open(encoding="utf-8-sig", newline="") as file:
        return [(row["verdict"], row["correction"]) for row in csv.DictReader(file)]


def test_review_fills_in_every_csv_and_says_so(reviewable, capsys):
    right, wrong = reviewable("001.csv", "Où est-ce ?"), reviewable("002.csv", "Où ?")
    review()
    assert verdict(right) == [("accept", "")]
    assert verdict(wrong) == [("fix", "Où est-ce ?")]
    assert lines(capsys)[1:] == [
        "fr/001.csv: 1 accepted, 0 fixed, 0 judged before, 0 not known to the truth",
        "fr/002.csv: 0 accepted, 1 fixed, 0 judged before, 0 not known to the truth",
    ]


def test_review_of_one_batch_spares_the_others_and_lists_of_errors(reviewable):
    seed, other = reviewable("seed-001.csv", "x"), reviewable("001.csv", "x")
    errors = reviewable("seed-001.errors.csv", "x")
    review(batch="seed")
    assert verdict(seed) == [("fix", "Où est-ce ?")]
    assert verdict(other) == verdict(errors) == [("", "")]


def test_without_csvs_the_error_names_the_command_that_writes_them(reviewable):
    with pytest.raises(UserError) as raised:
        review()
    assert str(raised.value) == "No review CSV to work on. Write them first: palo refine"


def test_review_before_the_world_is_built_says_what_to_do(project):
    with pytest.raises(UserError, match="palo sample build"):
        review()


def test_only_a_profile_with_a_stand_in_has_a_translator_to_pretrain(project):
    with pytest.raises(UserError, match="no stand-in to pretrain"):
        pretrain("palo")
