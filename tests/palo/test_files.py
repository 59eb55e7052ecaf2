"""Files and folders are there whole or not at all, and know what they were made from."""

import os
import subprocess
import sys

import pytest

from palo.errors import UserError
from palo.files import replaced_folder, uptodate, write_json


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_finished_folder_takes_the_place_of_the_one_before(tmp_path):
    for text in ("one", "two"):
        with replaced_folder(tmp_path / "deep" / "x") as fresh:
            (fresh / text).write_text(text)
    assert names(tmp_path / "deep" / "x") == ["two"]
    assert names(tmp_path / "deep") == ["x"]


def test_a_failure_leaves_the_folder_that_was_there(tmp_path):
    with replaced_folder(tmp_path / "x") as fresh:
        (fresh / "one").touch()
    with pytest.raises(KeyError), replaced_folder(tmp_path / "x") as fresh:
        (fresh / "two").touch()
        raise KeyError
    assert names(tmp_path / "x") == ["one"] and names(tmp_path) == ["x"]


def test_a_folder_may_be_made_inside_one_that_is_being_made(tmp_path):
    with replaced_folder(tmp_path / "x") as fresh, replaced_folder(fresh / "y") as inner:
        (inner / "one").touch()
    assert names(tmp_path / "x") == ["y"] and names(tmp_path / "x" / "y") == ["one"]


def test_leftovers_of_the_dead_are_removed_and_those_of_the_living_stay(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True
    )
    dead = tmp_path / f".x.{int(done.stdout)}.new"
    living = tmp_path / f".x.{os.getppid()}.new"
    dead.mkdir()
    living.mkdir()
    with replaced_folder(tmp_path / "x"):
        pass
    assert names(tmp_path) == [living.name, "x"]


def test_a_record_says_what_something_was_made_from(tmp_path):
    record = tmp_path / "palo.json"
    assert uptodate(record, {"file": "a"}) is None
    write_json(record, {"inputs": {"file": "a"}, "loss": 0.5})
    assert uptodate(record, {"file": "a"}) == {"inputs": {"file": "a"}, "loss": 0.5}
    assert uptodate(record, {"file": "b"}) is None
    write_json(record, {"loss": 0.5})
    assert uptodate(record, "a") is None


def test_a_record_that_is_no_json_is_told(tmp_path):
    (tmp_path / "palo.json").write_text("{")
    with pytest.raises(UserError, match="is not valid JSON"):
        uptodate(tmp_path / "palo.json", "a")


def test_a_folder_comes_back_from_a_writer_that_died_between_its_renames(tmp_path):
    before = tmp_path / ".1.7b.999999999.old"
    before.mkdir()
    (before / "a").write_text("trained")
    with pytest.raises(KeyError), replaced_folder(tmp_path / "1.7b") as fresh:
        (fresh / "a").write_text("half")
        raise KeyError
    assert (tmp_path / "1.7b" / "a").read_text() == "trained"
    before.mkdir()  # the same again, but the new folder is there
    with replaced_folder(tmp_path / "1.7b") as fresh:
        (fresh / "a").write_text("better")
    assert (tmp_path / "1.7b" / "a").read_text() == "better"
    assert [path.name for path in tmp_path.iterdir()] == ["1.7b"]
