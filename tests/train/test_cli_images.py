import json

import pytest

from palo.cli import app, guarded

ROWS = [
    {"id": "a", "image": "captions/0.jpg", "conversations": []},
    {"id": "b", "image": "captions/[gone].jpg", "conversations": []},
]


@pytest.fixture
def sample(project):
    assert guarded(lambda: app(["sample", "build"])) == 0
    return project / "data" / "sample" / "world"


def run(*args):
    return guarded(lambda: app(["images", "verify", *args]))


def test_complete_images_are_0(sample, capsys):
    assert run() == 0
    assert "Every image is there (none was opened)." in capsys.readouterr().out
    assert run("--decode") == 0
    assert "Every image is there.\n" in capsys.readouterr().out


def test_missing_images_are_1_with_what_to_do(sample, capsys):
    (sample / "captions.json").write_text(json.dumps(ROWS), "utf-8")
    (sample / "images/captions").mkdir(exist_ok=True)
    (sample / "images/captions/0.jpg").write_bytes(b"")
    assert run() == 1
    said = capsys.readouterr().out
    assert f"{sample}/images/captions/[gone].jpg" in said
    assert f"They belong into {sample}/images" in said
    assert "`palo sample build` draws them" in said


def test_json_is_all_that_is_printed(sample, capsys):
    (sample / "captions.json").write_text(json.dumps(ROWS), "utf-8")
    capsys.readouterr()
    assert run("--json") == 1
    told = json.loads(capsys.readouterr().out)
    assert told["complete"] is False
    assert sum(place["missing"] for place in told["places"]) == 1 + (
        not (sample / "images/captions/0.jpg").is_file()
    )


def test_a_list_that_breaks_off_is_said(sample, capsys):
    (sample / "captions.json").write_text('[{"image"', "utf-8")
    assert run() == 1
    assert "The list of captions of stage 1" in capsys.readouterr().out


def test_without_any_list_it_is_a_mistake_of_the_user(project, capsys):
    assert run() == 2
    assert "`palo sample build`" in capsys.readouterr().err
    assert run("--profile", "palo") == 2
    assert "README.md" in capsys.readouterr().err


def test_the_group_alone_shows_its_help(project, capsys):
    assert guarded(lambda: app(["images"])) == 0
    assert "verify" in capsys.readouterr().out
