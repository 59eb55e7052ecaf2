"""A run that is killed at random moments ends with the bytes of one that was never disturbed."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from palo.memory import TranslationMemory
from palo.paths import DataPaths

PROGRAM = Path(__file__).with_name("killed_run.py")
REPO = PROGRAM.parents[2]
NUM_KILLS = 20
DELAY_S = 0.15  # an undisturbed run takes about 15 s after the imports
MOST_S = 1.0  # to work before a kill: twenty of them together fall short of a run


def start(source, data_dir, delay_s=DELAY_S):
    command = [sys.executable, str(PROGRAM), str(source), str(data_dir), str(delay_s)]
    environment = {**os.environ, "PYTHONPATH": str(REPO)}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def shards(data_dir):
    """Every Parquet file and record of the run, by its path below the data folder."""
    return {
        str(path.relative_to(data_dir)): path.read_bytes()
        for folder in ("source", "translated")
        for path in sorted((data_dir / folder).rglob("*"))
        if path.is_file() and not path.name.startswith(".lock")
    }


def translated_so_far(data_dir):
    count = 0
    for lang in ("fr", "ur"):
        path = DataPaths(data_dir).memory(lang)
        if path.is_file():
            with TranslationMemory(path) as memory:
                count += memory.count()
    return count


@pytest.mark.slow
def test_shards_are_byte_identical_whatever_kills_happened(tmp_path, write_source):
    source = write_source(tmp_path / "llava.json")
    calm = start(source, tmp_path / "calm", 0)
    assert calm.wait(timeout=120) == 0

    rng = random.Random(20260101)
    data_dir = tmp_path / "killed"
    counts = []
    for _ in range(NUM_KILLS):
        process = start(source, data_dir)
        assert process.stdout.readline() == "ready 0\n"
        time.sleep(rng.uniform(0, MOST_S))
        process.send_signal(signal.SIGKILL)
        assert process.wait(timeout=60) == -signal.SIGKILL
        counts.append(translated_so_far(data_dir))
    assert counts == sorted(counts)  # nothing that was committed is ever lost
    assert counts[-1] > 0

    last = start(source, data_dir, 0)
    assert last.wait(timeout=120) == 0
    assert shards(data_dir) == shards(tmp_path / "calm")
    assert not list((data_dir / "translated").rglob("*.tmp"))


def test_ctrl_c_ends_the_process_and_the_same_command_finishes_the_run(tmp_path, write_source):
    source = write_source(tmp_path / "llava.json")
    data_dir = tmp_path / "data"
    process = start(source, data_dir)
    deadline = time.monotonic() + 60
    while not translated_so_far(data_dir) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) != 0
    done = translated_so_far(data_dir)
    again = start(source, data_dir, 0)
    output, _ = again.communicate(timeout=120)
    assert again.returncode == 0
    sent = sum(int(line.split()[1]) for line in output.split("\n") if line)
    calm = start(source, tmp_path / "calm", 0)
    whole, _ = calm.communicate(timeout=120)
    assert 0 < sent < sum(int(line.split()[1]) for line in whole.split("\n") if line)
    assert done > 0
    assert shards(data_dir) == shards(tmp_path / "calm")
