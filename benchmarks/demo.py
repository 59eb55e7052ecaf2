"""Runs the whole sample pipeline in a fresh data folder and measures its time and memory.

    .venv/bin/python -m benchmarks.demo

The limits it is held against: 15 minutes and 6 GiB on 2 cores. Memory is the sum of the
proportional set sizes (PSS) of every process of the run, looked at ten times a second.
"""

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.harness import GIB, ROOT, SAMPLE_DIR, PeakMemory, cores, environment_of, finish
from palo.files import read_json

LIMIT_MINUTES = 15
LIMIT_GIB = 6


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        project_dir = Path(folder)
        shutil.copy(ROOT / "pipelines.yaml", project_dir)
        for name in ("train", "data_cards"):
            shutil.copytree(ROOT / name, project_dir / name)
        start, command = time.monotonic(), [sys.executable, "-m", "palo", "demo"]
        child = subprocess.Popen(command, cwd=ROOT, env=environment_of(project_dir))
        memory = PeakMemory(child.pid)
        code = child.wait()
        minutes, peak_gib = (time.monotonic() - start) / 60, memory.stop() / GIB
        figures = {
            "exit_code": code,
            "cores": cores(),
            "minutes": round(minutes, 2),
            "minutes_to_limit": round(minutes / LIMIT_MINUTES, 3),
            "peak_gib": round(peak_gib, 2),
            "peak_to_limit": round(peak_gib / LIMIT_GIB, 3),
        }
        if code == 0:
            data_dir = project_dir / SAMPLE_DIR
            steps = read_json(data_dir / "demo-times.json")
            figures["seconds_by_step"] = {step["title"]: step["seconds"] for step in steps}
            figures["evaluation_mean"] = read_json(data_dir / "evaluation" / "7b.json")["mean"]
    finish(figures)
    sys.exit(code)


if __name__ == "__main__":
    main()
