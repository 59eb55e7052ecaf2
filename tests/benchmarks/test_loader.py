import json
import subprocess
import sys
from pathlib import Path

REPO_DIR = Path(__file__).resolve().parents[2]
SIZES = {
    "--conversations": 3000,
    "--json-conversations": 300,
    "--measured-conversations": 300,
}


def test_it_runs_at_small_size_and_prints_its_figures_last():
    command = [sys.executable, "benchmarks/loader.py"]
    for option, value in SIZES.items():
        command += [option, str(value)]
    done = subprocess.run(command, cwd=REPO_DIR, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout.strip().split("\n")[-1])
    assert {"open_s", "private_mib", "ratio_to_json", "random_ms", "lengths_per_s"} <= set(figures)
    assert (figures["conversations"], figures["json_scaled_by"]) == (3000, 10.0)
    assert figures["open_to_limit"] < 1
    assert figures["private_to_limit"] < 1
    assert figures["tokens_each"] > 576
    assert all(figures[name] > 0 for name in ("ratio_to_json", "random_ms", "lengths_per_s"))
