"""The script of SLURM's arrays: a memory is on the job's machine while it is open."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "translate" / "slurm.sh"


def program(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/bash\n{text}\n", "utf-8")
    path.chmod(0o755)


@pytest.fixture
def job(tmp_path):
    """What a job has around it: stand-ins for SLURM's programs and palo, and a memory in data/."""
    program(tmp_path / "scontrol", f'echo "$@" >> {tmp_path}/scontrol.txt')
    program(tmp_path / "srun", 'exec "$@"')
    program(
        tmp_path / ".venv" / "bin" / "palo",
        f'echo "$@" >> {tmp_path}/asked.txt; [ "$1" = memory ] && exit\n'
        f'ls "$PALO_MEMORY_DIR" > {tmp_path}/there.txt\n'
        'echo more >> "$PALO_MEMORY_DIR/fr.sqlite"; $DO',
    )
    store = tmp_path / "data" / "palo" / "memory"
    store.mkdir(parents=True)
    for name in ("fr.sqlite", "fr.verified.sqlite", "ur.sqlite"):
        (store / name).write_text("before\n")
    slurm = {"SLURM_JOB_ID": "4711", "SLURM_ARRAY_TASK_ID": "1", "PALO_LOCAL_DIR": str(tmp_path)}
    return os.environ | slurm | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}


def start(job, folder, **more):
    return subprocess.Popen(["bash", SCRIPT, "zh", "fr"], env=job | more, cwd=folder)


@pytest.mark.parametrize(("ending", "again"), [(0, False), (2, False), (130, True)])
def test_the_memory_comes_back_whatever_the_end_and_a_job_that_stopped_goes_on(
    job, tmp_path, ending, again
):
    assert start(job, tmp_path, DO=f"exit {ending}").wait(timeout=30) == ending
    store = tmp_path / "data" / "palo" / "memory"
    assert (tmp_path / "there.txt").read_text().split() == ["fr.sqlite", "fr.verified.sqlite"]
    assert (store / "fr.sqlite").read_text() == "before\nmore\n"
    assert (store / "fr.verified.sqlite").read_text() == "before\n"
    assert sorted(path.name for path in store.iterdir()) == [
        "fr.sqlite",
        "fr.verified.sqlite",
        "ur.sqlite",
    ]
    asked = (tmp_path / "asked.txt").read_text().splitlines()
    assert asked == ["translate --lang fr", "memory stats --lang fr"]
    assert (tmp_path / "scontrol.txt").exists() is again
    assert not list(tmp_path.glob("palo-memory-*"))


def test_a_cancelled_job_brings_its_memory_back_and_stays_away(job, tmp_path):
    program(tmp_path / "stops", f"until [ -e {tmp_path}/go ]; do sleep 0.02; done; exit 130")
    running = start(job, tmp_path, DO="exec stops")
    until = time.monotonic() + 30
    while not (tmp_path / "there.txt").exists():
        assert time.monotonic() < until
        time.sleep(0.02)
    running.send_signal(signal.SIGTERM)
    (tmp_path / "go").touch()
    assert running.wait(timeout=30) == 130
    assert (tmp_path / "data" / "palo" / "memory" / "fr.sqlite").read_text() == "before\nmore\n"
    assert not (tmp_path / "scontrol.txt").exists()


def test_without_an_array_it_says_how_to_start_it(job, tmp_path):
    alone = {name: value for name, value in job.items() if name != "SLURM_ARRAY_TASK_ID"}
    refused = subprocess.run(
        ["bash", SCRIPT, "fr"], env=alone, cwd=tmp_path, capture_output=True, text=True
    )
    assert refused.returncode != 0 and "sbatch --array" in refused.stderr
