"""Runs the whole sample pipeline in a fresh data folder and measures its time and memory.

    .venv/bin/python benchmarks/demo.py

The limits it is held against: 15 minutes and 6 GiB on 2 cores. Memory is the sum of the
proportional set sizes (PSS) of every process of the run, looked at twice a second.
Prints one JSON object last.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent
LIMIT_MINUTES = 15
LIMIT_GIB = 6
EVERY_S = 0.5


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        project_dir = Path(folder)
        shutil.copy(ROOT / "pipelines.yaml", project_dir)
        for name in ("train", "data_cards"):
            shutil.copytree(ROOT / name, project_dir / name)
        start = time.monotonic()
        peak_bytes, code = watch(project_dir)
        minutes = (time.monotonic() - start) / 60
        figures = collect(project_dir / "data" / "sample") if code == 0 else {}
    result = {
        "exit_code": code,
        "cores": len(os.sched_getaffinity(0)),
        "minutes": round(minutes, 2),
        "minutes_to_limit": round(minutes / LIMIT_MINUTES, 3),
        "peak_gib": round(peak_bytes / 2**30, 2),
        "peak_to_limit": round(peak_bytes / 2**30 / LIMIT_GIB, 3),
        **figures,
    }
    print(json.dumps(result, ensure_ascii=False))
    sys.exit(code)


def watch(project_dir: Path) -> tuple[int, int]:
    """Peak PSS in bytes over the run's processes, and the exit code."""
    environment = {**os.environ, "PALO_CONFIG": str(project_dir / "pipelines.yaml")}
    environment.pop("PROFILE", None)
    child = subprocess.Popen([sys.executable, "-m", "palo", "demo"], cwd=ROOT, env=environment)
    parent, peak = psutil.Process(child.pid), 0
    while child.poll() is None:
        peak = max(peak, tree_bytes(parent))
        time.sleep(EVERY_S)
    return peak, child.returncode


def tree_bytes(parent: psutil.Process) -> int:
    total = 0
    try:
        processes = [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0
    for process in processes:
        try:
            total += process.memory_full_info().pss
        except psutil.Error:  # it ended meanwhile
            continue
    return total


def collect(data_dir: Path) -> dict[str, object]:
    steps = json.loads((data_dir / "demo-times.json").read_text(encoding="utf-8"))
    evaluation = json.loads((data_dir / "evaluation" / "7b.json").read_text(encoding="utf-8"))
    return {
        "seconds_by_step": {step["title"]: step["seconds"] for step in steps},
        "evaluation_mean": evaluation["mean"],
    }


if __name__ == "__main__":
    main()
