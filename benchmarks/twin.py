"""The 7b twin trained again: with other seeds, and in ten languages beside English only.

    make demo                                              # makes what stage 2 learns from
    .venv/bin/python -m benchmarks.twin seeds --seeds 7,8,9
    .venv/bin/python -m benchmarks.twin ablation

`seeds`: a seed starts the stand-in vision tower and language model, the projector and the order of
the data anew. Each run is `palo train --scale 7b` from nothing, held against its limit of 8 minutes
on 2 cores, and `palo evaluate` on a fresh evaluation set: pictures of another seed than its own.

`ablation`: both arms start from one stand-in, one tower and one projector of stage 1, and take as
many steps of as many conversations; only `train: mixture: weights` differs. The demo's stand-in
language model has been asked in ten languages for long before stage 2, which has little left to
teach it. Vicuna has mostly been asked in English: the one here is stopped `--other-steps` after its
English ones, and stage 2 takes `--epochs`.
"""

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from benchmarks.harness import ROOT, SAMPLE_DIR, cores, finish, palo, small_world
from palo.files import read_json, write_text
from palo.languages import ENGLISH, LANGUAGES, TARGETS
from palo.settings import read_mapping
from sceneworld.build import build_world

LIMIT_S = 8 * 60
QUESTIONS_SEED = 97
MADE = ("world", "source", "refined")  # by the pipeline: all that training reads
# What an epoch has of each language: as many conversations in both arms.
ARMS: dict[str, dict[str, float]] = {
    "all": {},
    "english_only": {str(ENGLISH): len(LANGUAGES), **{str(lang): 0 for lang in TARGETS}},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--project", type=Path, default=ROOT, help="has pipelines.yaml and data/")
    parser.add_argument("--scale", default="7b")
    ways = parser.add_subparsers(required=True)
    way = ways.add_parser("seeds")
    way.add_argument("--seeds", type=whole_numbers, default="7,8,9", help="such as 7,8,9")
    way.add_argument("--pictures", type=int, default=150, help="that are asked about")
    way.set_defaults(run=several_seeds)
    way = ways.add_parser("ablation")
    way.add_argument("--other-steps", type=int, default=170, help="of the stand-in")
    way.add_argument("--epochs", type=int, default=3, help="of stage 2")
    way.set_defaults(run=ablation)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        finish(chosen.run(chosen, Path(folder)))


def whole_numbers(text: str) -> list[int]:
    """argparse names the option and the text where one of them is no number."""
    return [int(part) for part in text.split(",")]


def several_seeds(chosen: argparse.Namespace, folder: Path) -> dict[str, Any]:
    build_world(
        folder / "questions", small_world(QUESTIONS_SEED, evaluation_images=chosen.pictures)
    )
    runs = [trained_anew(seed, chosen, folder) for seed in chosen.seeds]
    accuracies = [run["evaluation_mean"]["accuracy"] for run in runs]
    return {
        "cores": cores(),
        "questions_seed": QUESTIONS_SEED,
        "mean_accuracy": round(sum(accuracies) / len(accuracies), 4),
        "lowest_accuracy": round(min(accuracies), 4),
        "runs": runs,
    }


def trained_anew(seed: int, chosen: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Time and answers of one twin."""
    project_dir = folder / f"seed-{seed}"
    settings, scale_path, scale = begin_project(chosen, project_dir, MADE)
    sample = settings["profiles"]["sample"]
    sample["train"]["seed"] = seed
    sample["evaluate"] |= {
        "questions_path": str(folder / "questions" / "evaluation.jsonl"),
        "images_dir": str(folder / "questions" / "images"),
    }
    for part in ("language_model", "vision_tower"):
        scale[part]["standin"]["seed"] = seed
    write_text(project_dir / "pipelines.yaml", yaml.safe_dump(settings))
    write_text(project_dir / scale_path, yaml.safe_dump(scale))
    start = time.monotonic()
    palo(project_dir, "train", "--scale", chosen.scale)
    seconds = time.monotonic() - start
    evaluation = evaluated(project_dir, chosen.scale)
    shutil.rmtree(project_dir)
    return {
        "seed": seed,
        "train_seconds": round(seconds),
        "train_to_limit": round(seconds / LIMIT_S, 3),
        "accuracy": {lang: row["accuracy"] for lang, row in evaluation["languages"].items()},
        "by_kind": {kind: row["accuracy"] for kind, row in evaluation["by_kind"].items()},
        "evaluation_mean": evaluation["mean"],
    }


def begin_project(
    chosen: argparse.Namespace, project_dir: Path, names: Sequence[str]
) -> tuple[Any, Path, Any]:
    """Copies what the pipeline made, or exits where there is none of it. Returns what
    pipelines.yaml says, where the scale's file lies in a project, and what it says."""
    data_dir = chosen.project / SAMPLE_DIR
    if not (data_dir / "refined").is_dir():
        sys.exit(f"{data_dir} has no refined shards: run `make demo` first.")
    for name in names:
        if (data_dir / name).is_dir():
            shutil.copytree(data_dir / name, project_dir / SAMPLE_DIR / name)
    settings = read_mapping(chosen.project / "pipelines.yaml")
    scales_dir = Path(settings["profiles"]["sample"]["train"]["scales_dir"])
    scale_path = scales_dir / f"{chosen.scale}.yaml"
    return settings, scale_path, read_mapping(chosen.project / scale_path)


def evaluated(project_dir: Path, scale: str) -> Any:
    palo(project_dir, "evaluate", "--scale", scale)
    return read_json(project_dir / SAMPLE_DIR / "evaluation" / f"{scale}.json")


def ablation(chosen: argparse.Namespace, folder: Path) -> dict[str, Any]:
    project_dir = folder / "begun"
    # finished stand-ins come along
    settings, scale_path, scale = begin_project(chosen, project_dir, (*MADE, "models"))
    language_model = scale["language_model"]
    language_model["name"] += f"-{chosen.other_steps}"
    standin = language_model["standin"]
    standin["steps"] = standin["english_steps"] + chosen.other_steps
    scale["stage2"]["epochs"] = chosen.epochs
    write_text(project_dir / scale_path, yaml.safe_dump(scale))
    write_text(project_dir / "pipelines.yaml", yaml.safe_dump(settings))
    palo(project_dir, "train", "--scale", chosen.scale, "--until", "stage1")
    checkpoints_dir = project_dir / SAMPLE_DIR / "checkpoints"
    work = checkpoints_dir / f"{chosen.scale}.work"
    shutil.copytree(work, folder / "stage1")
    logs, evaluations = {}, {}
    for arm, weights in ARMS.items():
        shutil.copytree(folder / "stage1", work, dirs_exist_ok=True)
        settings["profiles"]["sample"]["train"]["mixture"] = {"weights": weights}
        write_text(project_dir / "pipelines.yaml", yaml.safe_dump(settings))
        palo(project_dir, "train", "--scale", chosen.scale)
        evaluations[arm] = evaluated(project_dir, chosen.scale)
        trained = read_json(checkpoints_dir / chosen.scale / "training.json")
        logs[arm] = trained["logs"]["stage2"]
    return {
        "other_steps": chosen.other_steps,
        "epochs": chosen.epochs,
        "steps": {arm: max(row["step"] for row in log) for arm, log in logs.items()},
        "languages": {
            arm: [str(lang) for lang in LANGUAGES if any(f"loss_{lang}" in row for row in log)]
            for arm, log in logs.items()
        },
        **arms_side_by_side(evaluations),
    }


def arms_side_by_side(evaluations: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Of both arms: accuracy, and the share of answers in their question's language."""
    result: dict[str, Any] = {}
    for name in ("accuracy", "fidelity"):
        for arm, evaluation in evaluations.items():
            by_language = {lang: row[name] for lang, row in evaluation["languages"].items()}
            others = [by_language[lang] for lang in TARGETS]
            result[f"{arm}_{name}"] = by_language
            result[f"{arm}_{name}_other_nine"] = round(sum(others) / len(others), 4)
    result["all_mean_other_nine"] = result.pop("all_accuracy_other_nine")
    result["english_only_mean_other_nine"] = result.pop("english_only_accuracy_other_nine")
    result["gap"] = round(result["all_mean_other_nine"] - result["english_only_mean_other_nine"], 4)
    return result


if __name__ == "__main__":
    main()
