"""What ten languages in stage 2 are worth: the 7b twin taught in all of them, and in English only.

    make demo                                # makes what stage 2 learns from
    .venv/bin/python benchmarks/ablation.py

Both arms start from one stand-in, one tower and one projector of stage 1, and take as many steps
of as many conversations; only `train: mixture: weights` differs. The demo's stand-in language
model has been asked in ten languages for long before stage 2, which has little left to teach it.
Vicuna has mostly been asked in English: the one here is stopped `--other-steps` after its English
ones, and stage 2 takes `--epochs`. Prints one JSON object last.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

from palo.languages import ENGLISH, LANGUAGES, TARGETS

ROOT = Path(__file__).resolve().parent.parent
SCALE = "7b"
DATA_DIR = Path("data") / "sample"
# Made by the pipeline: all that training reads.
MADE = ("world", "source", "refined")


OTHER_STEPS = 170
EPOCHS = 3

# What an epoch has of each language: as many conversations in both arms.
ARMS: dict[str, dict[str, float]] = {
    "all": {},
    "english_only": {str(ENGLISH): len(LANGUAGES), **{str(lang): 0 for lang in TARGETS}},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--other-steps", type=int, default=OTHER_STEPS, help="of the stand-in")
    parser.add_argument("--epochs", type=int, default=EPOCHS, help="of stage 2")
    parser.add_argument("--project", type=Path, default=ROOT, help="has pipelines.yaml and data/")
    parser.add_argument("--scale", default=SCALE)
    chosen = parser.parse_args()
    if not (chosen.project / DATA_DIR / "refined").is_dir():
        sys.exit(f"{chosen.project} has no refined shards: run `make demo` first.")
    with tempfile.TemporaryDirectory() as folder:
        begun = Path(folder) / "begun"
        copy_project(chosen.project, begun)
        write_scale(chosen.project, begun, chosen.scale, chosen.other_steps, chosen.epochs)
        palo(begun, "train", "--scale", chosen.scale, "--until", "stage1")
        work = begun / DATA_DIR / "checkpoints" / f"{chosen.scale}.work"
        shutil.copytree(work, Path(folder) / "stage1")
        runs = {}
        for arm in ARMS:
            shutil.copytree(Path(folder) / "stage1", work, dirs_exist_ok=True)
            runs[arm] = run_arm(arm, begun, chosen.scale)
    learned = {arm: told for arm, (told, _) in runs.items()}
    evaluations = {arm: evaluation for arm, (_, evaluation) in runs.items()}
    result = {
        "other_steps": chosen.other_steps,
        "epochs": chosen.epochs,
        "steps": {arm: max(row["step"] for row in log) for arm, log in learned.items()},
        "languages": {arm: languages_of(log) for arm, log in learned.items()},
        **figures(evaluations),
    }
    print(json.dumps(result))


def languages_of(log: list[dict[str, float]]) -> list[str]:
    """Those that stage 2 had losses of."""
    return [str(lang) for lang in LANGUAGES if any(f"loss_{lang}" in row for row in log)]


def figures(evaluations: dict[str, dict[str, Any]]) -> dict[str, Any]:
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


def run_arm(
    arm: str, project_dir: Path, scale: str
) -> tuple[list[dict[str, float]], dict[str, Any]]:
    """The log of stage 2 and the held-out answers of one arm, from the finished stage 1 on."""
    path = project_dir / "pipelines.yaml"
    settings = read(path)
    settings["profiles"]["sample"]["train"]["mixture"] = {"weights": ARMS[arm]}
    write(path, settings)
    palo(project_dir, "train", "--scale", scale)
    palo(project_dir, "evaluate", "--scale", scale)
    data_dir = project_dir / DATA_DIR
    told = json.loads((data_dir / "checkpoints" / scale / "training.json").read_text("utf-8"))
    evaluation = json.loads((data_dir / "evaluation" / f"{scale}.json").read_text("utf-8"))
    return told["logs"]["stage2"], evaluation


def copy_project(project: Path, into: Path) -> None:
    """The settings and the data; finished stand-ins come along."""
    for name in (*MADE, "models"):
        if (project / DATA_DIR / name).is_dir():
            shutil.copytree(project / DATA_DIR / name, into / DATA_DIR / name)
    shutil.copy(project / "pipelines.yaml", into)


def write_scale(project: Path, into: Path, scale: str, other_steps: int, epochs: int) -> None:
    """The scale's file, with a stand-in language model of its own."""
    settings = read(project / "pipelines.yaml")
    path = Path(settings["profiles"]["sample"]["train"]["scales_dir"]) / f"{scale}.yaml"
    changed = read(project / path)
    language_model = changed["language_model"]
    language_model["name"] += f"-{other_steps}"
    language_model["standin"]["steps"] = language_model["standin"]["english_steps"] + other_steps
    changed["stage2"]["epochs"] = epochs
    (into / path).parent.mkdir(parents=True)
    write(into / path, changed)


def palo(project_dir: Path, *command: str) -> None:
    environment = {**os.environ, "PALO_CONFIG": str(project_dir / "pipelines.yaml")}
    environment.pop("PROFILE", None)
    subprocess.run([sys.executable, "-m", "palo", *command], cwd=ROOT, env=environment, check=True)


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def write(path: Path, content: Any) -> None:
    path.write_text(yaml.safe_dump(content), encoding="utf-8")


if __name__ == "__main__":
    main()
