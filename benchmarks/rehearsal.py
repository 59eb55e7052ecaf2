"""Walks docs/real-run.md, command by command, on models and data that are real but for their size.

    .venv/bin/python -m benchmarks.rehearsal [--folder data/rehearsal]     (make rehearse)

sceneworld/rehearsal.py builds what the page starts from: the narrow models in a Hugging Face cache
under their own names, LLaVA's lists and pictures. Then every line of the page's blocks of commands
runs as it is written, on the palo profile's own settings; only the numbers of SMALLER differ. What
a person does between two commands is done here: reviewers fill in CSVs, a browser opens a page, a
client asks the server, and a training run is killed and started again.
"""

import argparse
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from benchmarks.harness import ROOT, finish
from sceneworld.rehearsal import build
from sceneworld.truth import load_truth, review_csv

PAGE = ROOT / "docs" / "real-run.md"
SMALLER = (("--nproc-per-node 8", "--nproc-per-node 2"), ("--num 1000", "--num 4"))
SERVING = re.compile(r"https?://[\w.:]+(/\S*)?")
MISSING = 2  # the exit code of a plan made before what it is of was translated
ON_A_CPU = {
    "VLLM_CPU_KVCACHE_SPACE": "1",  # GiB
    "VLLM_CPU_CI_ENV": "1",  # vLLM compiles nothing: it is started six times, for little
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",  # its one worker has no process of its own, as on GPUs
    # what is freed is kept: cleared anew, the pages of a large vocabulary's numbers take a third
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": "-1",
}
STARTS_WITHIN_S, STOPS_WITHIN_S = 240.0, 60.0


def commands(page: Path = PAGE) -> list[str]:
    """Every command of the page's `sh` blocks, in order, without its comment."""
    blocks = re.findall(r"^```sh\n(.*?)^```", page.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    lines = [shlex.join(shlex.split(line, comments=True)) for line in "".join(blocks).split("\n")]
    return [line for line in lines if line]


class Rehearsal:
    """The page at work in `folder`, which is to be nobody else's."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.data_dir = folder, folder / "data" / "palo"
        self.times: list[dict[str, Any]] = []
        self.environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "HF_HOME": str(folder / "huggingface"),
            "HF_HUB_OFFLINE": "1",
            **ON_A_CPU,
        }
        self.environment.pop("PROFILE", None)

    def run(self, first: int) -> None:
        """From the page's command of that number on; from 1 on, all is built anew."""
        if first == 1:
            shutil.rmtree(self.folder, ignore_errors=True)
            self._timed("(build the models and data)", lambda: build(self.folder, ROOT))
        self.environment["PALO_CONFIG"] = str(self.folder / "pipelines.yaml")
        for command in commands()[first - 1 :]:
            for real, small in SMALLER:
                command = command.replace(real, small)
            self._timed(command, lambda command=command: self._do(command))

    def _timed(self, command: str, work: Callable[[], object]) -> None:
        print(f"$ {command}", flush=True)
        start = time.monotonic()
        work()
        seconds = round(time.monotonic() - start, 1)
        print(f"({seconds:.0f} s)", flush=True)
        self.times.append({"command": command, "seconds": seconds})

    def _do(self, command: str) -> None:
        words = shlex.split(command)
        match words:
            case ["hf", "download", model, "--revision", revision]:
                self._downloaded(model, revision)
            case ["palo", "review", "serve", *_]:
                with self._served([*words, "--no-browser"]) as address:
                    assert b"<html" in _fetched(address)
            case ["palo", "serve", *_]:
                with self._served(words) as address:
                    _ask(address)
            case ["torchrun", *_] if "7b" in words:
                self._killed_and_resumed(words)
            case [*_, "--dry-run", "--gpu", "h100", "--gpus", "8", "--profile", "palo"]:
                self._call(words, MISSING)
            case _:
                self._call(words)
        if words[:3] == ["palo", "refine", "--seed"]:
            self._review("seed")
        if words[:3] == ["palo", "review", "serve"]:
            self._review("batch")

    def _start(self, words: list[str], **streams: Any) -> "subprocess.Popen[bytes]":
        program = "palo" if words[0] == "palo" else "torch.distributed.run"
        line = [sys.executable, "-m", program, *words[1:]]
        return subprocess.Popen(line, cwd=self.folder, env=self.environment, **streams)

    def _call(self, words: list[str], expected: int = 0) -> None:
        if (code := self._start(words).wait()) != expected:
            sys.exit(f"rehearsal: exit code {code}: {shlex.join(words)}")

    def _downloaded(self, model: str, revision: str) -> None:
        cache = Path(self.environment["HF_HOME"]) / "hub" / f"models--{model.replace('/', '--')}"
        if not (cache / "snapshots" / revision).is_dir():
            sys.exit(f"rehearsal: sceneworld/published has no {model} of revision {revision}")

    def _review(self, batch: str) -> None:
        """People with the true translations fill in the CSVs."""
        truth = load_truth(self.data_dir / "truth.jsonl")
        for path in sorted((self.data_dir / "review").glob(f"*/{batch}*.csv")):
            if not path.name.endswith(".errors.csv"):
                done = review_csv(path, truth)
                print(f"{path.relative_to(self.data_dir)}: {done}", flush=True)

    @contextmanager
    def _served(self, words: list[str]) -> Iterator[str]:
        """The address that a server prints; it is stopped as by Ctrl-C."""
        log_path = self.folder / "server.log"
        with log_path.open("wb") as log:
            server = self._start(words, stdout=log, stderr=subprocess.STDOUT)
        try:
            yield _address(server, log_path)
        finally:
            server.send_signal(signal.SIGINT)
            try:
                server.wait(STOPS_WITHIN_S)
            except subprocess.TimeoutExpired:
                server.kill()
                sys.exit(f"rehearsal: did not stop on Ctrl-C: {shlex.join(words)}")

    def _killed_and_resumed(self, words: list[str]) -> None:
        """`kill -9` of all processes after the first checkpoint of stage 2; then once more."""
        scale = words[words.index("--scale") + 1]
        saved = self.data_dir / "checkpoints" / f"{scale}.work" / "stage2"
        first = self._start(words)
        while first.poll() is None and not list(saved.glob("checkpoint-*/trainer_state.json")):
            time.sleep(0.1)
        if first.returncode:
            sys.exit(f"rehearsal: exit code {first.returncode}: {shlex.join(words)}")
        if first.returncode is None:  # torchrun's workers outlive it: each is killed
            agent = psutil.Process(first.pid)
            for process in (agent, *agent.children(recursive=True)):
                process.kill()
            first.wait()
        self._call(words)


def _address(server: "subprocess.Popen[bytes]", log_path: Path) -> str:
    deadline = time.monotonic() + STARTS_WITHIN_S
    while time.monotonic() < deadline and server.poll() is None:
        said = log_path.read_text("utf-8", errors="replace")
        if address := SERVING.search(said):
            return address[0]
        time.sleep(0.2)
    sys.exit(f"rehearsal: no server:\n{log_path.read_text('utf-8', errors='replace')[-3000:]}")


def _fetched(address: str, data: bytes | None = None) -> bytes:
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(address, data=data, headers=headers)
    with urllib.request.urlopen(request, timeout=STARTS_WITHIN_S) as answer:
        told: bytes = answer.read()
    return told


def _ask(address: str) -> None:
    """One question by OpenAI's protocol, as soon as the server answers."""
    deadline = time.monotonic() + STARTS_WITHIN_S
    base = address.split("/v1")[0].rstrip("/")
    while True:
        try:
            model = json.loads(_fetched(f"{base}/v1/models"))["data"][0]["id"]
            break
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)
    question = [{"role": "user", "content": "What is this?"}]
    asked = {"model": model, "messages": question, "max_tokens": 8}
    answer = json.loads(_fetched(f"{base}/v1/chat/completions", json.dumps(asked).encode()))
    print(answer["choices"][0]["message"], flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--folder", type=Path, default=ROOT / "data" / "rehearsal")
    parser.add_argument("--from", type=int, default=1, dest="first", help="go on from command N")
    chosen = parser.parse_args()
    rehearsal = Rehearsal(chosen.folder.resolve())
    start = time.monotonic()
    try:
        rehearsal.run(chosen.first)
    finally:
        minutes = round((time.monotonic() - start) / 60, 1)
        finish({"minutes": minutes, "commands": rehearsal.times})


if __name__ == "__main__":
    main()
