"""How tests run a benchmark: as its users do, for the figures of its last line."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

REPO_DIR = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def run_benchmark():
    def run(name, *words, timeout=600):
        command = [sys.executable, "-m", f"benchmarks.{name}", *map(str, words)]
        done = subprocess.run(
            command, cwd=REPO_DIR, capture_output=True, text=True, timeout=timeout
        )
        assert done.returncode == 0, done.stderr
        return done.stdout, json.loads(done.stdout.strip().split("\n")[-1])

    return run
