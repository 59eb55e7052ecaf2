"""Trains the 7b twin with several seeds and asks each questions that nothing was chosen by.

    make demo                                      # makes what stage 2 learns from
    .venv/bin/python benchmarks/twin.py --seeds 7,8,9

A seed starts the stand-in vision tower and language model, the projector and the order of the
data anew. Each run is `palo train --scale 7b` from nothing, held against its limit of 8 minutes on
2 cores, and `palo evaluate` on a fresh evaluation set: pictures of another seed than the
profile's. Prints one JSON object last.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml

from palo.settings.world import WorldSettings
from sceneworld.build import build_world

ROOT = Path(__file__).resolve().parent.parent
SCALE = "7b"
LIMIT_S = 8 * 60
QUESTIONS_SEED = 97
QUESTIONS = WorldSettings(
    seed=QUESTIONS_SEED,
    source_images=1,
    corpus_scenes=1,
    caption_images=1,
    text_scenes=1,
    parallel_text_scenes=1,
    evaluation_images=150,
)
MADE = ("world", "source", "refined")  # by the pipeline: all that training reads


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=seeds, default="7,8,9", help="whole numbers: 7,8,9")
    parser.add_argument("--data", type=Path, default=ROOT / "data" / "sample")
    chosen = parser.parse_args()
    if not (chosen.data / "refined").is_dir():
        sys.exit(f"{chosen.data} has no refined shards: run `make demo` first.")
    with tempfile.TemporaryDirectory() as folder:
        build_world(Path(folder) / "questions", QUESTIONS)
        runs = [run(seed, chosen.data, Path(folder)) for seed in chosen.seeds]
    rights = [each["evaluation_mean"]["accuracy"] for each in runs]
    result = {
        "cores": len(os.sched_getaffinity(0)),
        "questions_seed": QUESTIONS_SEED,
        "mean_accuracy": round(sum(rights) / len(rights), 4),
        "lowest_accuracy": round(min(rights), 4),
        "runs": runs,
    }
    print(json.dumps(result))


def seeds(text: str) -> list[int]:
    """argparse names the option and the text where one of them is no number."""
    return [int(part) for part in text.split(",")]


def run(seed: int, data_dir: Path, folder: Path) -> dict[str, Any]:
    """Time and answers of one twin."""
    project_dir = folder / f"seed-{seed}"
    for name in MADE:
        shutil.copytree(data_dir / name, project_dir / "data" / "sample" / name)
    write_settings(project_dir, seed, folder / "questions")
    environment = {**os.environ, "PALO_CONFIG": str(project_dir / "pipelines.yaml")}
    environment.pop("PROFILE", None)

    def palo(command: str) -> None:
        subprocess.run(
            [sys.executable, "-m", "palo", command, "--scale", SCALE],
            cwd=ROOT,
            env=environment,
            check=True,
        )

    start = time.monotonic()
    palo("train")
    seconds = time.monotonic() - start
    palo("evaluate")
    measured = project_dir / "data" / "sample" / "evaluation" / f"{SCALE}.json"
    evaluation = json.loads(measured.read_text(encoding="utf-8"))
    shutil.rmtree(project_dir)
    return {
        "seed": seed,
        "train_seconds": round(seconds),
        "train_to_limit": round(seconds / LIMIT_S, 3),
        "accuracy": {lang: row["accuracy"] for lang, row in evaluation["languages"].items()},
        "by_kind": {kind: row["accuracy"] for kind, row in evaluation["by_kind"].items()},
        "evaluation_mean": evaluation["mean"],
    }


def write_settings(project_dir: Path, seed: int, questions_dir: Path) -> None:
    """pipelines.yaml and the scale's file, with this seed and the fresh questions."""
    settings = yaml.safe_load((ROOT / "pipelines.yaml").read_text(encoding="utf-8"))
    sample = settings["profiles"]["sample"]
    sample["train"]["seed"] = seed
    sample["evaluate"] |= {
        "questions_path": str(questions_dir / "evaluation.jsonl"),
        "images_dir": str(questions_dir / "images"),
    }
    scales_dir = Path(sample["train"]["scales_dir"])
    scale = yaml.safe_load((ROOT / scales_dir / f"{SCALE}.yaml").read_text(encoding="utf-8"))
    for part in ("language_model", "vision_tower"):
        scale[part]["standin"]["seed"] = seed
    (project_dir / scales_dir).mkdir(parents=True)
    for path, content in (
        (project_dir / "pipelines.yaml", settings),
        (project_dir / scales_dir / f"{SCALE}.yaml", scale),
    ):
        path.write_text(yaml.safe_dump(content), encoding="utf-8")


if __name__ == "__main__":
    main()
