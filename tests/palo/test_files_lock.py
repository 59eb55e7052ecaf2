"""One process at a time works on a folder."""

import json
import re
import subprocess
import sys
import textwrap
import threading

import pytest

from palo.errors import Locked
from palo.files import run_lock

HOLDER = """
    import sys
    from pathlib import Path
    from palo.files import run_lock
    with run_lock(Path(sys.argv[1]), "palo translate"):
        print("held", flush=True)
        sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds tmp_path; it ends when its standard input does."""
    command = [sys.executable, "-c", textwrap.dedent(HOLDER), str(tmp_path)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def free(folder):
    with run_lock(folder, "palo refine"):
        return True


def test_a_second_process_learns_who_is_at_work_and_since_when(tmp_path, holder):
    with pytest.raises(Locked) as raised:
        free(tmp_path)
    time = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00"
    assert re.fullmatch(
        re.escape(f"{tmp_path} is in use (palo translate, process {holder.pid}, since ")
        + time
        + re.escape("). Wait for it to end, or stop it, then run this again."),
        str(raised.value),
    )


def test_a_killed_process_holds_nothing(tmp_path, holder):
    holder.kill()
    holder.wait()
    assert (tmp_path / ".lock.json").exists()  # what it left behind does not matter
    assert free(tmp_path)


def test_a_process_that_ends_frees_the_folder_and_its_note(tmp_path, holder):
    holder.communicate("")
    assert not (tmp_path / ".lock.json").exists()
    assert free(tmp_path)


def test_an_error_inside_frees_the_folder(tmp_path):
    with pytest.raises(RuntimeError), run_lock(tmp_path, "x"):
        raise RuntimeError
    assert free(tmp_path)


def test_even_one_process_holds_a_folder_once(tmp_path):
    with run_lock(tmp_path, "x"), pytest.raises(Locked):
        free(tmp_path)


def test_folders_are_locked_apart_and_made_where_missing(tmp_path):
    with run_lock(tmp_path / "a" / "b", "x"), run_lock(tmp_path / "c", "x"):
        owner = json.loads((tmp_path / "a" / "b" / ".lock.json").read_text())
    assert sorted(owner) == ["pid", "since", "what"]


@pytest.mark.parametrize("content", ["", "{", "{}"])
def test_without_a_readable_note_the_message_still_says_what_to_do(tmp_path, holder, content):
    (tmp_path / ".lock.json").write_text(content)
    with pytest.raises(Locked) as raised:
        free(tmp_path)
    assert str(raised.value) == (
        f"{tmp_path} is in use (another process). Wait for it to end, or stop it, then run this "
        "again."
    )


def test_who_has_patience_waits_for_the_other(tmp_path, holder):
    ending = threading.Timer(0.3, holder.communicate, [""])
    ending.start()
    with run_lock(tmp_path, "x", patience_s=30):
        ending.join()
