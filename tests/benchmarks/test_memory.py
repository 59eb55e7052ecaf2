import json
import subprocess
import sys
from pathlib import Path

REPO_DIR = Path(__file__).resolve().parents[2]
SIZES = {
    "--resume-segments": 400,
    "--few-segments": 200,
    "--many-segments": 1200,
    "--entries": 600,
    "--measured-entries": 300,
}


def test_it_runs_at_small_size_and_prints_its_figures_last():
    command = [sys.executable, "benchmarks/memory.py"]
    for option, value in SIZES.items():
        command += [option, str(value)]
    done = subprocess.run(command, cwd=REPO_DIR, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout.strip().split("\n")[-1])
    assert {"resume_s", "rss_growth", "writes_per_s"} <= set(figures)
    runs = figures["runs"]
    assert [runs[name]["turns"] for name in ("resume", "few", "many")] == [400, 200, 1200]
    assert [runs[name]["sent"] for name in ("resume", "few", "many")] == [0, 200, 1200]
    assert all(figures[name] > 0 for name in ("resume_s", "rss_growth", "writes_per_s"))
