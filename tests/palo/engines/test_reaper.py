"""Processes with the mark of a run die with it, however it ends; others are left alone."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from palo.engines.reaper import marked, new_mark, owner_mark, reap_orphans, start_watcher

REPO = Path(__file__).resolve().parents[3]
SLEEPER = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)"]

# A run that starts a watcher and an "engine", tells the engine's process id, and waits.
RUN = """
import subprocess, sys, time
from palo.engines.reaper import marked, new_mark, start_watcher
mark = new_mark()
watcher = start_watcher(mark)
with marked(mark):
    engine = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"],
                              start_new_session=True, stdin=subprocess.DEVNULL)
print(engine.pid, flush=True)
time.sleep(600)
"""


@pytest.fixture
def sleeper():
    """Starts processes that do nothing, with the environment given; ends them afterwards."""
    started = []

    def start(**environment):
        process = subprocess.Popen(
            SLEEPER, env={**os.environ, **environment}, stdout=subprocess.PIPE
        )
        process.stdout.readline()
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def ended(pid, timeout_s=20.0):
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.05)
    return False


def test_only_engines_of_runs_that_ended_are_reaped(sleeper):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    mark = f"{owner_mark(gone.pid)}:1"
    gone.wait()
    orphan = sleeper(PALO_ENGINE_OF=mark)
    kept = sleeper(PALO_ENGINE_OF=new_mark())
    other = sleeper()
    reap_orphans()
    assert ended(orphan.pid)
    assert kept.poll() is None
    assert other.poll() is None


def test_the_mark_is_on_what_is_started_inside_only(sleeper):
    mark = new_mark()
    with marked(mark):
        inside = sleeper()
    outside = sleeper()
    assert psutil.Process(inside.pid).environ()["PALO_ENGINE_OF"] == mark
    assert "PALO_ENGINE_OF" not in psutil.Process(outside.pid).environ()


def test_a_process_id_that_is_used_again_is_another_owner(sleeper):
    process = sleeper()
    pid, _, started = owner_mark(process.pid).partition(":")
    orphan = sleeper(PALO_ENGINE_OF=f"{pid}:{float(started) - 5:.2f}:1")
    reap_orphans()  # or another run that begins just now
    assert ended(orphan.pid)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_an_engine_dies_with_its_run(how):
    run = subprocess.Popen(
        [sys.executable, "-c", RUN],
        env={**os.environ, "PYTHONPATH": str(REPO)},
        stdout=subprocess.PIPE,
        text=True,
    )
    engine_pid = int(run.stdout.readline())
    assert psutil.pid_exists(engine_pid)
    run.send_signal(how)
    run.wait()
    run.stdout.close()
    assert ended(engine_pid)


def test_a_closed_engine_takes_its_own_processes_with_it_and_no_other_engines(sleeper):
    first, second = new_mark(), new_mark()
    with marked(first):
        closed = sleeper()
    with marked(second):
        living = sleeper()
    watcher = start_watcher(first)
    watcher.stdin.close()
    assert watcher.wait(timeout=30) == 0
    assert ended(closed.pid)
    assert living.poll() is None
