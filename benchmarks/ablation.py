"""What ten languages in stage 2 are worth: the 7b twin taught in all of them, and in English only.

    make demo                                          # makes what stage 2 learns from
    .venv/bin/python benchmarks/ablation.py            # a language model that was asked in English
    .venv/bin/python benchmarks/ablation.py --standin as-is   # the demo's, asked in ten languages

Both arms start from one stand-in, one tower and one projector of stage 1, and take as many steps
of as many conversations; only `train: mixture: weights` differs. The demo's stand-in language
model has answered questions in ten languages before stage 2, so stage 2 has little left to teach.
`--standin english` (the default) ends its training where it would begin to: it knows what words of
the other languages mean, and has been asked in English alone. Prints one JSON object last.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from enum import StrEnum
from pathlib import Path
from typing import Any

import yaml

from palo.languages import ENGLISH, LANGUAGES, TARGETS

ROOT = Path(__file__).resolve().parent.parent
SCALE = "7b"
# Made by the pipeline: all that training reads.
MADE = ("world", "source", "refined")


class Standin(StrEnum):
    ENGLISH = "english"
    AS_IS = "as-is"


# What an epoch has of each language: as many conversations in both arms.
ARMS: dict[str, dict[str, float]] = {
    "all": {},
    "english_only": {str(ENGLISH): len(LANGUAGES), **{str(lang): 0 for lang in TARGETS}},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--standin", type=Standin, default=Standin.ENGLISH, choices=list(Standin))
    parser.add_argument("--project", type=Path, default=ROOT, help="has pipelines.yaml and data/")
    parser.add_argument("--scale", default=SCALE)
    chosen = parser.parse_args()
    if not (chosen.project / "data" / "sample" / "refined").is_dir():
        sys.exit(f"{chosen.project} has no refined shards: run `make demo` first.")
    with tempfile.TemporaryDirectory() as folder:
        begun = Path(folder) / "begun"
        copy_project(chosen.project, begun, chosen.scale, chosen.standin)
        palo(begun, "train", "--scale", chosen.scale, "--until", "stage1")
        work = begun / "data" / "sample" / "checkpoints" / f"{chosen.scale}.work"
        shutil.copytree(work, Path(folder) / "stage1")
        runs = {}
        for arm in ARMS:
            shutil.copytree(Path(folder) / "stage1", work, dirs_exist_ok=True)
            runs[arm] = run_arm(arm, begun, chosen.scale)
    learned = {arm: told for arm, (told, _) in runs.items()}
    evaluations = {arm: evaluation for arm, (_, evaluation) in runs.items()}
    result = {
        "standin": str(chosen.standin),
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
    data_dir = project_dir / "data" / "sample"
    told = json.loads((data_dir / "checkpoints" / scale / "training.json").read_text("utf-8"))
    evaluation = json.loads((data_dir / "evaluation" / f"{scale}.json").read_text("utf-8"))
    return told["logs"]["stage2"], evaluation


def copy_project(project: Path, into: Path, scale: str, standin: Standin) -> None:
    """The settings, the scale with this stand-in, and the data; finished stand-ins come along."""
    data_dir = Path("data") / "sample"
    for name in (*MADE, "models"):
        if (project / data_dir / name).is_dir():
            shutil.copytree(project / data_dir / name, into / data_dir / name)
    settings = read(project / "pipelines.yaml")
    scale_path = Path(settings["profiles"]["sample"]["train"]["scales_dir"]) / f"{scale}.yaml"
    changed = read(project / scale_path)
    if standin is Standin.ENGLISH:
        stop_after_english(changed["language_model"])
    (into / scale_path).parent.mkdir(parents=True)
    write(into / "pipelines.yaml", settings)
    write(into / scale_path, changed)


def stop_after_english(language_model: dict[str, Any]) -> None:
    language_model["name"] += "-english"
    language_model["standin"]["steps"] = language_model["standin"]["english_steps"]


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
