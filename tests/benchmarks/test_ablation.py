import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from palo.languages import LANGUAGES
from palo.paths import DataPaths
from palo.settings.world import WorldSettings
from sceneworld.build import build_world
from tests.train.conftest import make_scale, write_shards

REPO_DIR = Path(__file__).resolve().parents[2]
WORLD = WorldSettings(
    source_images=2,
    corpus_scenes=1,
    caption_images=6,
    text_scenes=6,
    parallel_text_scenes=4,
    evaluation_images=2,
)


@pytest.fixture
def project(tmp_path):
    """The sample profile over a micro world, with a scale that trains in a second."""
    paths = DataPaths(tmp_path / "data" / "sample")
    build_world(paths.world_dir, WORLD)
    write_shards(paths)
    settings = yaml.safe_load((REPO_DIR / "pipelines.yaml").read_text(encoding="utf-8"))
    settings["profiles"]["sample"]["train"]["loop"] = {"log_every_steps": 1}
    (tmp_path / "pipelines.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    scale_path = tmp_path / "train" / "scales" / "sample" / "7b.yaml"
    scale_path.parent.mkdir(parents=True)
    scale = make_scale("7b").model_dump(mode="json", exclude={"name"})
    scale_path.write_text(yaml.safe_dump(scale), encoding="utf-8")
    return tmp_path


@pytest.mark.slow
def test_it_runs_at_small_size_and_prints_both_arms_last(project):
    command = [sys.executable, "benchmarks/ablation.py", "--project", str(project)]
    command += ["--other-steps", "1", "--epochs", "1"]
    done = subprocess.run(command, cwd=REPO_DIR, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout.strip().split("\n")[-1])
    assert (figures["other_steps"], figures["epochs"]) == (1, 1)
    assert figures["steps"] == {"all": 2, "english_only": 2}
    assert figures["languages"]["english_only"] == ["en"]
    assert len(figures["languages"]["all"]) > 1
    for arm in ("all", "english_only"):
        assert set(figures[f"{arm}_accuracy"]) == set(LANGUAGES)
        assert set(figures[f"{arm}_fidelity"]) == set(LANGUAGES)
    gap = figures["all_mean_other_nine"] - figures["english_only_mean_other_nine"]
    assert figures["gap"] == pytest.approx(gap, abs=1e-4)
