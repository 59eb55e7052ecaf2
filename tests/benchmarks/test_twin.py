from pathlib import Path

import pytest
import yaml

from benchmarks.harness import small_world
from palo.languages import LANGUAGES
from palo.paths import DataPaths
from sceneworld.build import build_world
from tests.train.conftest import make_scale, write_shards

REPO_DIR = Path(__file__).resolve().parents[2]
WORLD = small_world(
    7, source_images=2, caption_images=6, text_scenes=6, parallel_text_scenes=4, evaluation_images=2
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
def test_the_ablation_prints_both_arms_last(project, run_benchmark):
    words = ["--project", project, "ablation", "--other-steps", 1, "--epochs", 1]
    _, figures = run_benchmark("twin", *words)
    assert (figures["other_steps"], figures["epochs"]) == (1, 1)
    assert figures["steps"] == {"all": 2, "english_only": 2}
    assert figures["languages"]["english_only"] == ["en"]
    assert len(figures["languages"]["all"]) > 1
    for arm in ("all", "english_only"):
        assert set(figures[f"{arm}_accuracy"]) == set(LANGUAGES)
        assert set(figures[f"{arm}_fidelity"]) == set(LANGUAGES)
    gap = figures["all_mean_other_nine"] - figures["english_only_mean_other_nine"]
    assert figures["gap"] == pytest.approx(gap, abs=1e-4)


@pytest.mark.slow
def test_a_seed_is_trained_from_nothing_and_asked_fresh_questions(project, run_benchmark):
    _, figures = run_benchmark(
        "twin", "--project", project, "seeds", "--seeds", "8", "--pictures", 3
    )
    [run] = figures["runs"]
    assert run["seed"] == 8
    assert set(run["accuracy"]) == set(LANGUAGES)
    assert figures["lowest_accuracy"] == figures["mean_accuracy"]
    assert figures["mean_accuracy"] == pytest.approx(run["evaluation_mean"]["accuracy"], abs=1e-4)
