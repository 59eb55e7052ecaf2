"""Digests of a small fixed run of everything: whether a change of the code changed what it makes.

    python -m tests.digests > before.json                   # at one commit
    python -m tests.digests --against before.json           # at another: names what differs, exit 1

Every command runs as users run it, on one thread, always in the same folder (below the system's
temporary one), with seeds fixed: two runs of one commit on one machine print the same. Other
processors may round otherwise, so the figures are no golden values. Clocks are left out.
"""

import argparse
import hashlib
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import yaml

REPO_DIR = Path(__file__).resolve().parent.parent
ROOT = Path(tempfile.gettempdir()) / "palo-digests"
LANGS = "ur,fr,zh"
CLOCKS = re.compile(
    r"second|time|tokens_per|_s$|^s$|^at$|^mfu|busy|created|peak|host|rss|samples_per"
)
COMMANDS = (
    "sample build",
    "translator pretrain",
    f"translator seed --lang {LANGS}",
    "refine --seed",
    "sample review --batch seed",
    "refine --seed",
    f"translator train --lang {LANGS}",
    f"translate --lang {LANGS}",
    f"refine --lang {LANGS}",
    "review export --only script,review --lang ur",
    "memory export {root}/memory.tmx --lang ur",
    "train --scale 7b",
    "train --scale 1.7b",
    "evaluate --scale 7b",
    "evaluate --scale 1.7b",
    "convert --from {data}/checkpoints/7b --out {root}/llava-7b"
    " --vision-tower data/models/standin-tower",
    "convert --from {root}/llava-7b --out {root}/back-7b",
    "convert --from {data}/checkpoints/1.7b --out {root}/llava-1.7b"
    " --vision-tower data/models/standin-tower-fine",
    "convert --from {root}/llava-1.7b --out {root}/back-1.7b",
    "card",
    "export --format llava-json --lang all --out {root}/export-json",
    "export --format parquet --lang all --out {root}/export-parquet",
    "export --format hub --lang all --out {root}/export-hub",
    "bench build --lang fr",
    "refine report",
    "report",
    "train --scale 7b --dry-run",
    "train --scale 7b --dry-run --gpu h100 --gpus 8",
    "translate --lang all",  # the languages left over; the others are up to date
    "status",
)
GROUPS = {  # what a folder of the run is part of; the first that fits
    "world": "data/world/*",
    "source shards": "data/source/*",
    "translation memory": "data/memory/*",
    "translated shards": "data/translated/*",
    "refined shards": "data/refined/*",
    "review files": "data/review/*",
    "stand-ins and translators": "data/models/*",
    "mixture index": "data/mixture*",
    "checkpoints": "data/checkpoints/*",
    "converted checkpoints": "*-7b/*",
    "converted checkpoints of 1.7b": "*-1.7b/*",
    "exports": "export-*",
    "cards": "data_cards/*",
    "prompts": "prompts.jsonl",
    "packing plan": "packing.json",
    "what commands print": "printed/*",
}


def settings() -> dict:
    """The sample profile at a size that takes seconds a step."""
    config = yaml.safe_load((REPO_DIR / "pipelines.yaml").read_text(encoding="utf-8"))
    text = json.dumps(config["profiles"]["sample"]).replace("data/sample", "data")
    sample = json.loads(text)
    sample["world"] |= {"source_images": 40, "corpus_scenes": 60, "caption_images": 12}
    sample["world"] |= {"text_scenes": 12, "parallel_text_scenes": 6, "evaluation_images": 4}
    sample["source"]["shard_rows"] = 25
    sample["translator"] |= {"seed_samples": 12, "max_tokens": 24, "max_attempts": 2}
    sample["translator"]["standin"] = {"vocab_size": 700, "hidden_size": 32, "layers": 1}
    sample["translator"]["standin"] |= {"heads": 2, "steps": 40, "batch_size": 8}
    sample["translator"]["finetune"] |= {"epochs": 1, "batch_size": 8}
    sample["train"]["scales_dir"] = "scales"
    config["profiles"] = {
        "sample": sample,
        "asked": json.loads(json.dumps(sample)) | {"data_dir": "asked"},
    }
    return config


def write_project(port: int) -> None:
    shutil.rmtree(ROOT, ignore_errors=True)
    shutil.copytree(REPO_DIR / "train" / "scales" / "sample", ROOT / "scales")
    for path in (ROOT / "scales").glob("*.yaml"):
        scale = yaml.safe_load(path.read_text(encoding="utf-8"))
        scale["vision_tower"]["standin"] |= {"steps": 3, "batch_size": 4}
        scale["language_model"]["standin"] |= {"steps": 3, "riddle_steps": 1, "english_steps": 2}
        scale["language_model"]["standin"] |= {"batch_size": 4}
        for stage in ("stage1", "stage2"):
            scale[stage] |= {"max_steps": 4, "batch_size": 6}
        path.write_text(yaml.safe_dump(scale), encoding="utf-8")
    config = settings()
    server = {"base_url": f"http://127.0.0.1:{port}/v1", "model": "asked", "concurrency": 1}
    config["profiles"]["asked"]["translator"] |= {"engine": "openai", "server": server}
    (ROOT / "pipelines.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")


class Recorder(BaseHTTPRequestHandler):
    """An OpenAI-compatible server that keeps what it is asked and answers with its digest."""

    bodies: list[dict] = []

    def do_GET(self) -> None:
        self._say({"object": "list", "data": [{"id": "asked", "object": "model"}]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.bodies.append(body)
        text = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:12]
        choice = {"index": 0, "message": {"role": "assistant", "content": text}}
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        made = {"id": "1", "object": "chat.completion", "created": 0, "model": "asked"}
        self._say(made | {"usage": usage, "choices": [choice | {"finish_reason": "stop"}]})

    def _say(self, content: dict) -> None:
        data = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


def palo(words: str, profile: str = "sample") -> str:
    """What the command prints, without times."""
    environment = {
        **os.environ,
        "PALO_CONFIG": str(ROOT / "pipelines.yaml"),
        "PROFILE": profile,
        "PYTHONPATH": str(REPO_DIR),
        "COLUMNS": "200",
        "OMP_NUM_THREADS": "1",
        "HF_HUB_OFFLINE": "1",
    }
    command = [sys.executable, "-m", "palo", *words.format(root=ROOT, data=ROOT / "data").split()]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, encoding="utf-8"
    )
    print(f"palo {words}: exit code {done.returncode}", file=sys.stderr)
    if done.returncode not in (0, 3):
        sys.exit(done.stdout[-2000:] + done.stderr[-4000:])
    passing = re.compile(
        r"[KG]iB|: (writing shard |[a-z ]*)?\d+ of \d+( |$)"
    )  # memory, and how far it is
    kept = [line for line in done.stdout.splitlines() if not passing.search(line)]
    stop_clocks()
    return re.sub(r"\d+(\.\d+)? ?(s|min|minutes|tokens/s|/s)\b", "TIME", "\n".join(kept))


def stop_clocks() -> None:
    """Records beside weights tell how long training took, and are part of others' digests."""
    for path in (ROOT / "data").glob("*/*/**/*.json"):
        if path.name in ("standin.json", "finetune.json", "training.json"):
            record = json.loads(path.read_text(encoding="utf-8"))
            path.write_text(json.dumps(without_clocks(record), indent=1), encoding="utf-8")


def ask() -> None:
    """Prompts of three languages and what the memory makes of the answers."""
    palo("sample build", "asked")
    palo(f"translate --lang {LANGS}", "asked")
    prompts = sorted(json.dumps(body, sort_keys=True) for body in Recorder.bodies)
    (ROOT / "prompts.jsonl").write_text("\n".join(prompts), encoding="utf-8")


def write_packing_plan() -> None:
    """Rows of the first steps on one and three processes, from lengths of a fixed draw."""
    import numpy as np

    from train.data.packing import StepPlan

    lengths = np.random.RandomState(7).randint(5, 900, size=500)

    def order(epoch: int) -> np.ndarray:
        return np.random.RandomState(epoch).permutation(500)

    plan = StepPlan(lengths, order, 32, 1024, 40)
    rows = [[plan.rows(step, processes) for step in range(40)] for processes in (1, 3)]
    (ROOT / "packing.json").write_text(json.dumps(rows), encoding="utf-8")


def without_clocks(value: object) -> object:
    if isinstance(value, dict):
        return {k: without_clocks(v) for k, v in value.items() if not CLOCKS.search(k)}
    return [without_clocks(each) for each in value] if isinstance(value, list) else value


def rows_of(path: Path) -> bytes:
    """Every table of a database, without the columns that tell the time."""
    lines = []
    with sqlite3.connect(path) as database:
        for (table,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'"):
            columns = [row[1] for row in database.execute(f"PRAGMA table_info({table})")]
            names = ", ".join(name for name in columns if name != "created")
            rows = database.execute(f"SELECT {names} FROM {table}")
            lines += sorted(f"{table} {row!r}" for row in rows)
    return "\n".join(lines).encode("utf-8", "backslashreplace")


def content(path: Path) -> bytes:
    if path.suffix == ".sqlite":
        return rows_of(path)
    if path.suffix == ".json":
        parsed = without_clocks(json.loads(path.read_text(encoding="utf-8")))
        return json.dumps(parsed, ensure_ascii=False).encode("utf-8", "surrogatepass")
    return path.read_bytes()


def kept(path: Path) -> bool:
    """Whether a file's content says the same whenever it is written."""
    passing = (".lock", ".weights-digest.json", "-wal", "-shm", ".log", ".html", ".bin", ".tmx")
    name = str(path.relative_to(ROOT))
    clock = any(part in name for part in ("times.json", "/sources/", "/runs/"))
    clock |= name == "pipelines.yaml"
    return path.is_file() and not name.endswith(passing) and not clock


def files() -> Iterator[tuple[str, Path]]:
    for path in sorted(ROOT.rglob("*")):
        if kept(path):
            relative = path.relative_to(ROOT)
            name = str(relative)
            fits = (group for group, pattern in GROUPS.items() if re.match(as_regex(pattern), name))
            yield next(fits, "other files"), path


def as_regex(pattern: str) -> str:
    return re.escape(pattern).replace(r"\*", ".*")


def collected() -> dict[str, dict[str, str]]:
    """Digests by group and file."""
    groups: dict[str, dict[str, str]] = {}
    for group, path in files():
        digest = hashlib.sha256(content(path)).hexdigest()[:16]
        groups.setdefault(group, {})[str(path.relative_to(ROOT))] = digest
    return groups


def differences(before: dict, after: dict) -> list[str]:
    old = {(group, name): mark for group, marks in before.items() for name, mark in marks.items()}
    new = {(group, name): mark for group, marks in after.items() for name, mark in marks.items()}
    told = []
    for group, name in sorted(old.keys() | new.keys()):
        was, now = old.get((group, name)), new.get((group, name))
        if was != now:
            what = "is new" if was is None else "is gone" if now is None else "differs"
            told.append(f"{group}: {name} {what}")
    return told


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--against", type=Path, help="what an earlier commit printed")
    arguments = parser.parse_args()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Recorder)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    write_project(server.server_port)
    (ROOT / "printed").mkdir()
    for number, words in enumerate(COMMANDS):
        name = f"{number:02d}-{words.split(' {')[0].replace(' ', '-').replace(',', '-')}.txt"
        (ROOT / "printed" / name).write_text(palo(words), encoding="utf-8")
    ask()
    write_packing_plan()
    made = collected()
    print(json.dumps(made, indent=1))
    if arguments.against is None:
        return 0
    told = differences(json.loads(arguments.against.read_text(encoding="utf-8")), made)
    print("\n".join(told) or "Nothing differs.", file=sys.stderr)
    return int(bool(told))


if __name__ == "__main__":
    sys.exit(main())
