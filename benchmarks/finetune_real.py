"""A fine-tune of a real model on real sentences: chrF++ of held-out pairs, before and after.

    .venv/bin/python -m benchmarks.finetune_real --model FOLDER --lang fr

The first `--num` pairs of benchmarks/gold (Tatoeba) are taken as verified segments, a share is held
out as always, and `palo translator train` does the rest: a LoRA adapter as the `palo` profile has
it, at a learning rate for small models.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.harness import ROOT, environment_of, finish, gold_pairs, real_project
from palo.files import read_json
from palo.languages import parse_languages
from palo.memory import VerifiedEntry, VerifiedMemory
from palo.paths import DataPaths
from translate.finetune import Refused


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--model", type=Path, required=True, help="a folder with a chat model")
    parser.add_argument("--lang", default="fr")
    parser.add_argument("--num", type=int, default=900, help="of the pairs")
    parser.add_argument("--epochs", type=float, default=3)
    parser.add_argument("--learning-rate", type=float, default=5e-4)
    parser.add_argument("--max-tokens", type=int, default=96, help="of an answer")
    parser.add_argument("--engine", default="transformers", help="that scores; or vllm")
    chosen = parser.parse_args()
    [lang] = parse_languages(chosen.lang)
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        figures = measure(project, str(lang), chosen)
    finish(figures)


def measure(project: Path, lang: str, chosen: argparse.Namespace) -> dict[str, object]:
    """What `palo translator train` reports of the project that is written here, with its time."""
    paths = DataPaths(project / "data")
    entries = [
        VerifiedEntry(pair.source, "", pair.target, f"pair{at}", 0, False, "people", "real", "")
        for at, pair in enumerate(gold_pairs(chosen.num)[lang])
    ]
    with VerifiedMemory(paths.verified(lang)) as memory:
        memory.put(entries)
    finetune = {"epochs": chosen.epochs, "learning_rate": chosen.learning_rate}
    real_project(
        project,
        chosen.model,
        engine=chosen.engine,
        max_tokens=chosen.max_tokens,
        max_model_tokens=1024,
        finetune=finetune,
    )
    command = [sys.executable, "-m", "palo", "translator", "train", "--lang", lang]
    begun = time.monotonic()
    code = subprocess.run(command, cwd=ROOT, env=environment_of(project)).returncode
    seconds = round(time.monotonic() - begun)
    if code not in (0, Refused.exit_code):
        sys.exit(f"palo translator train: exit code {code}")
    trial = project / "tuned" / f"{lang}.trial"
    folder = trial if code else project / "tuned" / lang
    scores = read_json(folder / "finetune.json").get("scores", {}).get(lang)
    return {
        "model": chosen.model.name,
        "lang": lang,
        "settings": finetune,
        "engine": chosen.engine,
        "refused": bool(code),
        "seconds": seconds,
        "scores": scores,
    }


if __name__ == "__main__":
    main()
