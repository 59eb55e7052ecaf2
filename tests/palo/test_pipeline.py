"""A pipeline runs the users' own commands; a step that fails is named."""

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import typer
import yaml

from palo import pipeline
from palo.errors import UserError
from palo.settings import load_config, load_profile

SHIPPED = Path(__file__).parents[2] / "pipelines.yaml"
PYTHON = sys.executable
# Stands in for `python -m palo ...`: notes what it was given, fails where told to.
PROGRAM = """#!/bin/sh
echo "$PROFILE|$(basename "$PALO_CONFIG")|$*" >> "$(dirname "$0")/calls"
case "$*" in *fail*) exit 3;; esac
"""


@pytest.fixture
def steps(project, monkeypatch):
    """Writes steps as pipeline `demo`; its commands go to the stand-in program."""
    program = project / "program"
    program.write_text(PROGRAM)
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))

    def write(*rows):
        path = project / "pipelines.yaml"
        settings = yaml.safe_load(path.read_text())
        settings["pipelines"] = {"demo": list(rows)}
        path.write_text(yaml.safe_dump(settings))

    return write


def calls(folder):
    return (folder / "calls").read_text().splitlines()


def times():
    return json.loads((load_profile("sample").data_dir / "demo-times.json").read_text())


def test_steps_run_in_order_under_the_same_profile_and_settings(project, steps, capsys):
    steps({"title": "one", "run": "translate --lang ur"}, {"title": "two", "run": "x 'a b'"})
    pipeline.run("demo", load_profile("sample"))
    assert calls(project) == [
        "sample|pipelines.yaml|-m palo translate --lang ur",
        "sample|pipelines.yaml|-m palo x a b",
    ]
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("palo demo · profile sample · data ")
    assert lines[1].startswith("1/2 one ") and lines[2] == "$ palo translate --lang ur"
    assert lines[-1] == "demo: 2 steps in 0.0 minutes"


def test_times_of_the_steps_are_kept_for_the_report(steps):
    steps({"title": "one", "run": "translate"})
    pipeline.run("demo", load_profile("sample"))
    (step,) = times()
    assert sorted(step) == ["command", "seconds", "skipped", "title"]
    assert (step["title"], step["command"], step["skipped"]) == ("one", "palo translate", "")
    assert 0 <= step["seconds"] < 10


def test_a_step_whose_module_is_missing_is_left_out_with_its_reason(project, steps, capsys):
    steps(
        {"title": "one", "run": "translate", "needs": "no_such_module"},
        {"title": "two", "run": "refine", "needs": "json"},
    )
    pipeline.run("demo", load_profile("sample"))
    assert calls(project) == ["sample|pipelines.yaml|-m palo refine"]
    reason = "no_such_module is not installed (make no_such_module installs it)"
    assert f"left out: {reason}" in capsys.readouterr().out.splitlines()
    assert [(step["title"], step["skipped"]) for step in times()] == [("one", reason), ("two", "")]


def test_a_failing_step_is_named_and_later_ones_do_not_run(project, steps):
    steps(
        {"title": "one", "run": "a"},
        {"title": "take in", "run": "refine --fail"},
        {"title": "three", "run": "b"},
    )
    with pytest.raises(UserError) as raised:
        pipeline.run("demo", load_profile("sample"))
    assert str(raised.value) == "Step 'take in' failed: palo refine --fail (exit code 3)."
    assert len(calls(project)) == 2
    assert [step["title"] for step in times()] == ["one"]


def test_a_step_aside_runs_beside_the_next_ones_until_one_joins(project, steps, capsys):
    steps(
        {"title": "long", "run": "long", "aside": True},
        {"title": "short", "run": "short"},
        {"title": "last", "run": "last", "joins": True},
    )
    (project / "program").write_text(
        """#!/bin/sh
        here=$(dirname "$0")
        case "$*" in
        *long*) echo "from aside"; while [ ! -e "$here/short" ]; do sleep 0.05; done; sleep 0.2;;
        esac
        echo "$3 $OMP_NUM_THREADS" >> "$here/ended"; touch "$here/$3"
        """
    )
    pipeline.run("demo", load_profile("sample"))
    share = str(max(1, len(os.sched_getaffinity(0)) // 2))
    assert (project / "ended").read_text().splitlines() == [
        f"short {share}",
        f"long {share}",
        f"last {os.environ.get('OMP_NUM_THREADS', '')}",
    ]
    lines = capsys.readouterr().out.splitlines()
    assert lines.index("from aside") > lines.index("$ palo short")
    assert [step["title"] for step in times()] == ["long", "short", "last"]


def test_a_step_that_fails_aside_ends_the_pipeline(project, steps, capsys):
    steps(
        {"title": "beside", "run": "fail", "aside": True},
        {"title": "next", "run": "a"},
        {"title": "never", "run": "b", "joins": True},
    )
    with pytest.raises(UserError, match=r"^Step 'beside' failed: palo fail \(exit code 3\)\.$"):
        pipeline.run("demo", load_profile("sample"))
    assert sorted(calls(project)) == [
        "sample|pipelines.yaml|-m palo a",
        "sample|pipelines.yaml|-m palo fail",
    ]


def test_what_runs_aside_is_stopped_when_a_later_step_fails(project, steps):
    steps({"title": "beside", "run": "wait", "aside": True}, {"title": "next", "run": "fail"})
    (project / "program").write_text(
        f"""#!{PYTHON}
import sys, time
from pathlib import Path
here = Path(__file__).parent
if "fail" in sys.argv:
    while not (here / "started").exists():
        time.sleep(0.05)
    sys.exit(3)
try:
    (here / "started").touch()
    time.sleep(60)
except KeyboardInterrupt:
    (here / "stopped").touch()
"""
    )
    with pytest.raises(UserError, match="Step 'next' failed"):
        pipeline.run("demo", load_profile("sample"))
    assert (project / "stopped").exists()


def test_an_unknown_pipeline_names_the_nearest(steps):
    steps({"title": "one", "run": "a"})
    with pytest.raises(UserError, match=r"^Unknown pipeline 'dmo'\. Did you mean 'demo'\?"):
        pipeline.run("dmo", load_profile("sample"))


@pytest.mark.parametrize("ended_by", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "term"])
def test_an_ended_pipeline_waits_for_the_steps_clean_stop(project, steps, ended_by):
    steps({"title": "one", "run": "translate"})
    (project / "program").write_text(
        """#!/bin/sh
        trap 'sleep 0.3; touch "$(dirname "$0")/stopped"; exit 130' INT
        touch "$(dirname "$0")/started"
        while :; do sleep 0.05; done
        """
    )
    parent = textwrap.dedent("""
        import sys
        from palo import pipeline
        from palo.settings import load_config, load_profile
        sys.executable = sys.argv[1]
        try:
            pipeline.run("demo", load_profile("sample"))
        except (KeyboardInterrupt, SystemExit):
            print("stopped after its step")
    """)
    command = [PYTHON, "-c", parent, str(project / "program")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    while not (project / "started").exists():
        assert process.poll() is None
    if ended_by is signal.SIGINT:
        os.killpg(process.pid, ended_by)  # as a terminal does
    else:
        process.send_signal(ended_by)  # the steps hear nothing of it
    output, _ = process.communicate(timeout=20)
    assert output.endswith("stopped after its step\n")
    assert (project / "stopped").exists()


def test_the_shipped_demo_runs_commands_that_exist():
    from palo.cli import app

    front_door = typer.main.get_command(app)
    for step in load_config(SHIPPED).pipelines["demo"]:
        words, command = step.run.split(), front_door
        while words and words[0] in getattr(command, "commands", {}):
            command = command.commands[words.pop(0)]
        assert command is not front_door, step.run
        options = {name for parameter in command.params for name in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= options, step.run
