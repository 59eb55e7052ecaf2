"""The front door: one program of every stage's commands, sentences instead of tracebacks."""

import errno
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import typer

from palo import cli
from palo.cli import guarded
from palo.errors import Locked, UserError

STOPPED = "Stopped. What was done is kept: the same command goes on from here.\n"


def failing(error):
    def program():
        raise error

    return program


def as_command(program):
    """The program as a command of a typer app, which has its own ideas of Ctrl-C."""
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(program)
    return lambda: app(args=[])


@pytest.fixture(params=["called", "as a command"])
def wrapped(request):
    return (lambda program: program) if request.param == "called" else as_command


def test_a_program_that_ends_well_is_0(wrapped):
    assert guarded(wrapped(lambda: None)) == 0


def test_a_users_mistake_is_a_sentence_and_2(wrapped, capsys):
    assert guarded(wrapped(failing(UserError("Unknown language 'urd'.")))) == 2
    assert capsys.readouterr() == ("", "Unknown language 'urd'.\n")
    assert guarded(wrapped(failing(Locked("in use")))) == 2


def test_ctrl_c_is_130_and_says_how_to_go_on(wrapped, capsys):
    assert guarded(wrapped(failing(KeyboardInterrupt()))) == 130
    assert capsys.readouterr().err == STOPPED


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_2_and_names_the_file(wrapped, capsys, number):
    assert guarded(wrapped(failing(OSError(number, os.strerror(number), "/d/x.bin")))) == 2
    assert capsys.readouterr().err.startswith("The disk is full: could not write /d/x.bin. ")


def test_a_full_disk_without_a_name_is_said_too(wrapped, capsys):
    assert guarded(wrapped(failing(OSError(errno.ENOSPC, "x")))) == 2
    assert capsys.readouterr().err.startswith("The disk is full: could not write a file. ")


def test_what_may_not_be_read_is_2_and_named(wrapped, capsys):
    assert guarded(wrapped(failing(PermissionError(errno.EACCES, "x", "/d/y")))) == 2
    assert capsys.readouterr().err == "Not allowed: /d/y. Check who owns it.\n"


@pytest.mark.parametrize("error", [OSError(errno.EIO, "x"), ValueError("x"), KeyError("x")])
def test_a_mistake_of_the_program_keeps_its_traceback(wrapped, error):
    with pytest.raises(type(error)):
        guarded(wrapped(failing(error)))


@pytest.mark.parametrize(("code", "expected"), [(0, 0), (3, 3), (None, 0), ("words", 1)])
def test_an_exit_code_is_passed_on(code, expected):
    assert guarded(failing(SystemExit(code))) == expected


def test_every_command_of_the_plan_is_there():
    group = typer.main.get_command(cli.app)
    assert {
        *("sample", "translate", "translator", "refine", "train", "evaluate"),
        *("status", "report", "demo", "card"),
    } <= {*group.commands}
    assert {"build", "review"} <= {*group.commands["sample"].commands}
    assert {"pretrain", "seed", "train"} <= {*group.commands["translator"].commands}


def leaves(command, path=()):
    if not hasattr(command, "commands"):
        return [(" ".join(path), command)]
    nested = (leaves(each, (*path, name)) for name, each in command.commands.items())
    return [leaf for found in nested for leaf in found]


LEAVES = leaves(typer.main.get_command(cli.app))


@pytest.mark.parametrize(("name", "command"), LEAVES, ids=[name for name, _ in LEAVES])
def test_every_command_says_what_it_does_and_takes_a_profile(name, command):
    assert command.help and re.match(r"[A-Z].*\.", command.help)
    assert "--profile" in {option for each in command.params for option in each.opts}


def run(capsys, line):
    """Runs a command line in this process: exit code, standard output, standard error."""
    code = guarded(lambda: cli.app(args=shlex.split(line)))
    return (code, *capsys.readouterr())


def test_status_begins_with_the_profile_its_data_and_models(project, capsys):
    code, output, _ = run(capsys, "status")
    assert code == 0
    assert output.startswith(f"palo status · profile sample · data {project}/data/sample · source ")
    assert [line.split()[0] for line in output.splitlines()[-9:]] == [
        *("zh", "fr", "es", "ru", "ja", "ar", "hi", "bn", "ur")
    ]


def test_the_environment_and_the_option_pick_the_profile(project, capsys, monkeypatch):
    monkeypatch.setenv("PROFILE", "palo")
    assert "profile palo · " in run(capsys, "status")[1]
    assert "profile sample · " in run(capsys, "status --profile sample")[1]


def test_report_writes_its_page_and_says_where(run_data, capsys):
    code, output, _ = run(capsys, "report")
    path = run_data.data_dir / "report.html"
    assert code == 0 and path.is_file()
    assert output.splitlines()[-1] == f"Report: {path}"
    assert "Palo, profile sample" in output


CODES = "ar bn es fr hi ja ru ur zh"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("status --profile sampel", "Unknown profile 'sampel'. Did you mean 'sample'? "),
        (
            "translate --lang urd",
            f"Unknown language 'urd'. Did you mean 'ur'? Languages: {CODES}\n",
        ),
        ("translate --lang en", f"'en' is the source language. Targets: {CODES}\n"),
        ("refine --lang urdu", "Unknown language 'urdu'. Did you mean 'ur'? "),
        ("train --scale 7c", "Unknown scale '7c'. Did you mean '7b'? "),
        ("evaluate --scale 31b", "Unknown scale '31b'. Did you mean '13b'? "),
        ("sample build --profile palo", "Profile 'palo' works on real data "),
    ],
)
def test_a_users_mistake_is_answered_in_a_sentence(project, capsys, line, message):
    code, _, error = run(capsys, line)
    assert (code, error[: len(message)]) == (2, message)
    assert "Traceback" not in error


@pytest.mark.parametrize(
    ("line", "first"),
    [
        ("translator pretrain", "palo sample build"),
        ("translator seed --lang all", "palo sample build"),
        ("translator train --lang all", "palo translator pretrain"),
        ("translate --lang ur", "palo translator pretrain"),
        ("refine --seed", "palo translator seed"),
        ("refine --lang ur,fr", "palo translate --lang fr,ur"),
        ("sample review", "palo sample build"),
        ("train --scale 7b", "palo translate"),
        ("evaluate --scale 7b", "palo train --scale 7b"),
        ("card", "palo translate --lang all"),
    ],
)
def test_a_command_too_early_says_which_comes_first(project, capsys, line, first):
    code, _, error = run(capsys, line)
    assert code == 2 and first in error and "Traceback" not in error


def test_a_missing_option_is_2_and_named(project, capsys):
    code, _, error = run(capsys, "translate")
    assert code == 2 and "--lang" in error


def test_an_unknown_command_is_2(capsys):
    code, _, error = run(capsys, "tranlsate")
    assert code == 2 and "tranlsate" in error


def test_outside_a_checkout_the_program_says_so(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "palo", "status"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True, text=True,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"No pipelines.yaml in {tmp_path} or above.")


def test_output_that_nobody_reads_to_its_end_is_no_traceback(project):
    line = f"{shlex.quote(sys.executable)} -m palo status | head -n 1"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True)
    assert done.stdout.startswith("palo status · profile sample")
    assert done.stderr == ""


def test_ctrl_c_in_the_real_program_is_a_clean_stop(project):
    """The lock of a running `sample build` is waited for until it is there, then Ctrl-C comes."""
    settings = (project / "pipelines.yaml").read_text()
    larger = settings.replace("caption_images: 6", "caption_images: 5000")
    (project / "pipelines.yaml").write_text(larger)
    lock = project / "data/sample/world/.lock.json"
    process = subprocess.Popen(
        [sys.executable, "-m", "palo", "sample", "build"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    while not lock.exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=30)
    assert (process.returncode, error) == (130, STOPPED)
    assert not lock.exists()
