"""The whole sample pipeline, every command of `palo demo`, at a size that takes about a minute."""

import json
import os
import shutil
import subprocess
import sys

import pytest
import yaml

from palo.languages import TARGETS
from palo.paths import DataPaths
from palo.shards import read_refined, read_samples, read_translated, shard_paths
from tests.conftest import REPO_DIR

pytestmark = pytest.mark.slow


def shrink_scale(path):
    scale = yaml.safe_load(path.read_text(encoding="utf-8"))
    scale["vision_tower"]["standin"] |= {"steps": 3, "batch_size": 4}
    scale["language_model"]["standin"] |= {"steps": 3, "riddle_steps": 1, "english_steps": 2}
    scale["language_model"]["standin"] |= {"batch_size": 4}
    for stage in ("stage1", "stage2"):
        scale[stage] |= {"max_steps": 2, "batch_size": 2}
    path.write_text(yaml.safe_dump(scale), encoding="utf-8")


def palo(*words):
    return subprocess.run(
        [sys.executable, "-m", "palo", *words],
        cwd=REPO_DIR,
        env={**os.environ, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )


def test_the_demo_runs_from_nothing_to_a_report(project):
    scales_dir = project / "scales"
    shutil.copytree(REPO_DIR / "train" / "scales" / "sample", scales_dir)
    for path in scales_dir.glob("*.yaml"):
        shrink_scale(path)
    config_path = project / "pipelines.yaml"
    config = yaml.safe_load(config_path.read_text(encoding="utf-8"))
    sample = config["profiles"]["sample"]
    sample["train"]["scales_dir"] = str(scales_dir)
    # an untrained translator never ends a text by itself
    sample["translator"] |= {"seed_samples": 10, "max_tokens": 12, "max_attempts": 1}
    # in one engine: the vLLM engine has tests of its own, and starts slowly
    steps = [step for step in config["pipelines"]["demo"] if "needs" not in step]
    config["pipelines"]["demo"] = steps
    config_path.write_text(yaml.safe_dump(config, allow_unicode=True), encoding="utf-8")

    done = palo("demo")
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    assert done.stdout.startswith("palo demo · profile sample · data ")

    paths = DataPaths(project / "data" / "sample")
    ids = [
        sample.sample_id for path in shard_paths(paths.source_dir) for sample in read_samples(path)
    ]
    assert len(ids) == len(set(ids)) > 15
    for lang in TARGETS:
        translated = [
            row for path in shard_paths(paths.translated(lang)) for row in read_translated(path)
        ]
        assert [row.sample_id for row in translated] == ids
        refined = [row for path in shard_paths(paths.refined(lang)) for row in read_refined(path)]
        assert [row.sample.sample_id for row in refined] == ids
        assert list(paths.review(lang).glob("*.csv"))
    assert (paths.checkpoint("7b") / "config.json").is_file()
    evaluation = json.loads(paths.evaluation("7b").read_text(encoding="utf-8"))
    assert set(evaluation["languages"]) == {"en", *TARGETS}
    assert "<svg" in paths.report.read_text(encoding="utf-8")
    cards = {path.name for path in (project / "data_cards").iterdir()}
    assert {"sample-ur.md", "sample-mixture.md", "sample-7b.md"} <= cards and len(cards) == 11

    again = palo("translate", "--lang", "all")  # up to date: nothing is sent, nothing written
    assert again.returncode == 0, again.stderr
    assert again.stdout.count("0 segments sent") == len(TARGETS)
