"""Nonsense that passes: what a model too small to translate says, through the whole chain.

    .venv/bin/python -m benchmarks.nonsense [--model FOLDER] [--lang fr,hi] [--keep FILE]

30 real conversations about COCO pictures (180 turns, benchmarks/gold) are translated by
SmolLM2-135M-Instruct and refined, at the `palo` profile's settings. It speaks English alone, so
none of its answers is a translation. `passes` counts those that validation lets through and no
filter flags, of all turns. `--keep` writes them, a JSON line each, to be looked at: where a better
model is asked, an answer that passes may well be right.
"""

import argparse
import json
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.harness import ROOT, finish, palo, real_project
from palo.languages import parse_languages
from palo.paths import DataPaths
from palo.schemas import TurnStatus
from palo.shards import read_refined, shard_paths

SOURCE = ROOT / "benchmarks" / "gold" / "llava_conversations_30.json"
MODEL = ROOT / ".venv" / "smollm2"  # make .venv/.smollm2


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--model", type=Path, default=MODEL, help="a folder with a chat model")
    parser.add_argument("--lang", default="fr,hi")
    parser.add_argument("--num", type=int, default=30, help="of the conversations")
    parser.add_argument("--engine", default="transformers", help="or vllm")
    parser.add_argument("--attempts", type=int, help="else the profile's")
    parser.add_argument("--keep", type=Path, help="a file for what passes")
    chosen = parser.parse_args()
    langs = [str(lang) for lang in parse_languages(chosen.lang)]
    figures: dict[str, Any] = {"model": chosen.model.name, "conversations": chosen.num}
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        source = project / "source.json"
        source.write_text(json.dumps(json.loads(SOURCE.read_text("utf-8"))[: chosen.num]), "utf-8")
        attempts = {"max_attempts": chosen.attempts} if chosen.attempts else {}
        real_project(project, chosen.model, source, engine=chosen.engine, **attempts)
        palo(project, "translate", "--lang", ",".join(langs))
        palo(project, "refine", "--lang", ",".join(langs))
        passed = []
        for lang in langs:
            rows = list(_turns(DataPaths(project / "data").refined(lang)))
            figures[lang] = _counts(rows)
            passed += [{"lang": lang, **row} for row in rows if row["passes"]]
    if chosen.keep:
        lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in passed)
        chosen.keep.write_text("".join(lines), encoding="utf-8")
    finish(figures)


def _turns(folder: Path) -> Iterator[dict[str, Any]]:
    for path in shard_paths(folder):
        for row in read_refined(path):
            sample = row.sample
            turns = zip(sample.source, sample.target, sample.meta, row.turn_verdicts, strict=True)
            for source, target, meta, verdict in turns:
                passes = meta.status is TurnStatus.TRANSLATED and not verdict.flagged
                yield {
                    "id": sample.sample_id,
                    "source": source.text,
                    "said": target.text,
                    "problem": meta.problem.partition(":")[0],
                    "failed": meta.status is TurnStatus.FAILED,
                    "passes": passes,
                }


def _counts(rows: list[dict[str, Any]]) -> dict[str, Any]:
    passes = sum(row["passes"] for row in rows)
    return {
        "turns": len(rows),
        "failed": sum(row["failed"] for row in rows),
        "problems": dict(Counter(row["problem"] for row in rows if row["failed"]).most_common()),
        "passes": passes,
        "passes_share": round(passes / len(rows), 4),
    }


if __name__ == "__main__":
    main()
