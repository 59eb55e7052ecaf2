"""Files and folders are there whole or not at all, and know what they were made from."""

import errno
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from palo.errors import UserError
from palo.files import (
    DIGESTS,
    harm,
    read_json,
    replaced_folder,
    uptodate,
    write_digests,
    write_json,
    write_text,
)


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


@pytest.fixture
def flushed(monkeypatch):
    """What was flushed to the disk, in order, by the name it had then."""
    names = []

    def fsync(handle):
        names.append(Path(f"/proc/self/fd/{handle}").readlink().name)

    monkeypatch.setattr(os, "fsync", fsync)
    return names


def test_a_file_is_flushed_before_its_rename_and_the_folder_after_it(tmp_path, flushed):
    write_text(tmp_path / "a.txt", "a")
    assert flushed == [f".a.txt.{os.getpid()}.tmp", tmp_path.name]


def test_of_a_folder_every_file_is_flushed_before_the_rename(tmp_path, flushed):
    with replaced_folder(tmp_path / "x") as fresh:
        (fresh / "deep").mkdir()
        (fresh / "deep" / "a").touch()
        (fresh / "link").symlink_to("nowhere")
    assert sorted(flushed[:-2]) == ["a", "deep"]
    assert flushed[-2:] == [f".x.{os.getpid()}.new", tmp_path.name]


def test_a_file_system_that_flushes_no_folders_is_put_up_with(tmp_path, monkeypatch):
    def fsync(handle):
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(os, "fsync", fsync)
    assert write_text(tmp_path / "a.txt", "a").read_text() == "a"

    def fail(handle):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="Input/output"):
        write_text(tmp_path / "a.txt", "b")


def test_digests_tell_a_file_that_is_gone_cut_or_changed(tmp_path):
    (tmp_path / "deep").mkdir()
    path = tmp_path / "deep" / "a"
    path.write_bytes(b"weights")
    assert harm(tmp_path) == "no digests.json"
    write_digests(tmp_path, [path])
    assert read_json(tmp_path / DIGESTS) == {"deep/a": [7, "873ac3c6df553eaa62331fd4ff9b521a"]}
    assert harm(tmp_path) is harm(tmp_path, reread=True) is None
    path.write_bytes(b"weight")
    assert harm(tmp_path) == "deep/a has 6 bytes, not the 7 that were written"
    path.write_bytes(b"weighty")
    assert harm(tmp_path) == "deep/a was changed after it was written"
    path.unlink()
    assert harm(tmp_path) == "deep/a is missing"
    (tmp_path / DIGESTS).write_text("{")
    assert harm(tmp_path) == "digests.json is no JSON"


def test_an_old_file_is_read_again_only_on_demand(tmp_path, monkeypatch):
    (tmp_path / "a").write_bytes(b"weights")
    write_digests(tmp_path, [tmp_path / "a"])
    (tmp_path / "a").write_bytes(b"weighty")
    os.utime(tmp_path / "a", ns=(0, 0))
    assert harm(tmp_path) is None
    assert harm(tmp_path, reread=True) == "a was changed after it was written"


def test_digests_without_sizes_as_they_were_once_are_compared(tmp_path):
    (tmp_path / "a").write_bytes(b"weights")
    write_digests(tmp_path, [tmp_path / "a"])
    _, value = read_json(tmp_path / DIGESTS)["a"]
    write_json(tmp_path / DIGESTS, {"a": value})
    os.utime(tmp_path / "a", ns=(0, 0))
    assert harm(tmp_path) is None
    (tmp_path / "a").write_bytes(b"weight")
    assert harm(tmp_path) == "a was changed after it was written"


def test_digests_are_kept_where_the_system_takes_no_advice(tmp_path, monkeypatch):
    monkeypatch.delattr(os, "posix_fadvise", raising=False)  # as on macOS
    (tmp_path / "a").write_bytes(b"weights")
    write_digests(tmp_path, [tmp_path / "a"])
    assert harm(tmp_path, reread=True) is None
