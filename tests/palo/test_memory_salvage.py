"""What can be read of a damaged memory is saved, and nothing of it is changed."""

import shutil

import pytest

from palo.errors import UserError
from palo.memory import (
    Entry,
    TranslationMemory,
    VerifiedEntry,
    VerifiedMemory,
    check_memory,
    machine_key,
    salvage,
)
from palo.schemas import TurnStatus


def entry(source):
    key = machine_key("s", "p", "ur", source, "")
    done = TurnStatus.TRANSLATED
    return Entry(key, source, "", "x", done, "stop", None, 1, "scripted", "s", "p", "", "t")


def test_a_whole_memory_needs_no_salvage(tmp_path):
    path = tmp_path / "ur.sqlite"
    with TranslationMemory(path) as memory:
        memory.put([entry(f"{number}.") for number in range(300)])
    check_memory(path)
    assert salvage(path) is None
    assert not list(tmp_path.glob("*salvaged*"))


def test_a_text_that_is_no_text_any_more_is_the_only_one_lost(tmp_path):
    path = tmp_path / "ur.sqlite"
    with TranslationMemory(path) as memory:
        memory.put([entry(f"number {number}.") for number in range(100)])
    path.write_bytes(path.read_bytes().replace(b"number 57.", b"number \xff\xff.", 1))
    made = salvage(path)
    assert (made.rows, made.lost) == (99, 1)


def test_row_numbers_far_beyond_the_files_size_are_looked_for(tmp_path):
    """Replaced rows get new numbers, and the file does not grow."""
    path = tmp_path / "ur.verified.sqlite"
    words = [VerifiedEntry("Two.", "", f"text {n}", n, 1, False, "r", "b", "t") for n in "abc"]
    with VerifiedMemory(path) as memory:
        for _ in range(1000):
            memory.put(words)
    path.write_bytes(path.read_bytes().replace(b"text b", b"text \xff"))
    made = salvage(path)
    assert (made.rows, made.lost) == (2, 1)


def test_a_damaged_log_costs_only_what_is_in_it(tmp_path):
    path, copy = tmp_path / "ur.sqlite", tmp_path / "copy" / "ur.sqlite"
    copy.parent.mkdir()
    with TranslationMemory(path) as memory:
        memory.put([entry("Red.")])
    with TranslationMemory(path) as memory:
        memory.put([entry("Blue.")])
        for each in (path, path.with_name("ur.sqlite-wal")):  # as a killed process leaves them
            shutil.copy(each, copy.with_name(each.name))
    log = copy.with_name("ur.sqlite-wal")
    log.write_bytes(b"\xa5" * log.stat().st_size)
    check_memory(copy)
    with TranslationMemory(copy) as memory:
        assert [each.source for each in memory.entries()] == ["Red."]


def test_a_log_without_its_memory_is_left_alone(tmp_path):
    path = tmp_path / "ur.sqlite"
    log = path.with_name("ur.sqlite-wal")
    log.write_bytes(b"entries")
    for look in (TranslationMemory, TranslationMemory.existing, salvage):
        with pytest.raises(UserError, match=r"ur\.sqlite is empty or gone, but its log"):
            look(path)
    assert log.read_bytes() == b"entries"
    assert not path.exists()
