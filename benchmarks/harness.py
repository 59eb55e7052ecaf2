"""What benchmarks share: gold pairs, projects of their own, memory of processes, the last line.

Every script runs as `.venv/bin/python -m benchmarks.NAME` and prints one JSON object last.
"""

import json
import os
import random
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import psutil
import yaml

from palo.settings import WorldSettings
from refine.filters import TurnPair
from refine.pairs import read_pairs

ROOT = Path(__file__).resolve().parent.parent
SAMPLE_DIR = Path("data") / "sample"
MIB, GIB = 2**20, 2**30
LOOK_EVERY_S = 0.1

# Characters of each turn, as they are on average in LLaVA-Instruct, and how often each kind comes.
SHAPES = {"conversation": (45, 120) * 4, "reasoning": (90, 1000), "description": (60, 500)}
MIXTURE = ["conversation"] * 5 + ["reasoning"] * 7 + ["description"] * 2


def finish(figures: dict[str, Any]) -> None:
    """Prints what was measured, as the last line."""
    print(json.dumps(figures, ensure_ascii=False))


def timed(work: Callable[[], object]) -> float:
    """Seconds that it takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def ratios(
    name: str, ours: Sequence[float], theirs: Sequence[float], after: str = "_of_rounds"
) -> dict[str, Any]:
    """Of our speed in each round to a peer's: the median, and all."""
    each = [our / their for our, their in zip(ours, theirs, strict=True)]
    rounded = [round(ratio, 3) for ratio in each]
    return {name: round(statistics.median(each), 3), f"{name}{after}": rounded}


def cores() -> int:
    return len(os.sched_getaffinity(0))


class Prose:
    """Words by chance, of 2 to `longest` letters; every text is another part of one long text."""

    def __init__(
        self, seed: int | str, letters: str, num_words: int, longest: int, gap: str = " "
    ) -> None:
        self.rng = random.Random(seed)
        sizes = [number % (longest - 1) + 2 for number in range(5000)]
        words = ["".join(self.rng.choices(letters, k=size)) for size in sizes]
        self._text = gap.join(self.rng.choices(words, k=num_words))

    def text(self, num_chars: int) -> str:
        start = self.rng.randrange(len(self._text) - num_chars)
        return f"{self._text[start : start + num_chars].strip()}."


def gold_pairs(num_rows: int | None = None) -> dict[str, list[TurnPair]]:
    """benchmarks/gold by language: sentence pairs of Tatoeba."""
    paths = sorted((ROOT / "benchmarks" / "gold").glob("*.tsv"))
    return {path.stem[-2:]: list(read_pairs(path))[:num_rows] for path in paths}


def small_world(seed: int, **sizes: int) -> WorldSettings:
    """A sample world of one of everything, but for `sizes`."""
    names = WorldSettings.model_fields.keys() - {"seed", "bench_images"}
    return WorldSettings(seed=seed, **(dict.fromkeys(names, 1) | sizes))


def palo(project_dir: Path, *words: str) -> None:
    """One command on a project's own profile."""
    command = [sys.executable, "-m", "palo", *words]
    subprocess.run(command, cwd=ROOT, env=environment_of(project_dir), check=True)


def real_project(project_dir: Path, model: Path, source: Path | None = None, **more: Any) -> None:
    """One of the `palo` profile, whose translator is the model in that folder; `more` are others of
    its settings."""
    config = yaml.safe_load((ROOT / "pipelines.yaml").read_text(encoding="utf-8"))
    profile = config["profiles"]["palo"] | {"data_dir": "data"}
    finetune = profile["translator"]["finetune"] | more.pop("finetune", {})
    own = {"model": str(model.absolute()), "revision": None, "finetuned_dir": "tuned"}
    own |= {"dtype": "float32", "max_model_tokens": 2048, "finetune": finetune}
    profile["translator"] |= own | more
    if source is not None:
        profile["source"] |= {"path": str(source.absolute())}
    config = {"default_profile": "real", "profiles": {"real": profile}}
    (project_dir / "pipelines.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")


def environment_of(project_dir: Path) -> dict[str, str]:
    environment = {**os.environ, "PALO_CONFIG": str(project_dir / "pipelines.yaml")}
    environment.pop("PROFILE", None)
    return environment


def apart(work: Callable[..., Any], *words: Any) -> Any:
    """What it returns in a process of its own, so that its memory is its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(work, *words).result()


def private_mib() -> float:
    """Memory of this process that no other shares (USS)."""
    return float(psutil.Process().memory_full_info().uss) / MIB


def peak_rss_mib() -> float:
    """Of this program only: ru_maxrss would also hold that of the process that started it."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    [line] = [line for line in status.split("\n") if line.startswith("VmHWM:")]
    return round(int(line.split()[1]) / 1024, 1)


class PeakMemory:
    """Watches a process and those it started: the sum of their proportional set sizes (PSS)."""

    def __init__(self, process_id: int | None = None) -> None:
        self._process = psutil.Process(process_id)
        self._bytes, self._ended = 0, threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._ended.wait(LOOK_EVERY_S):
            total = 0
            try:
                processes = [self._process, *self._process.children(recursive=True)]
            except psutil.NoSuchProcess:
                return
            for process in processes:
                try:
                    total += process.memory_full_info().pss
                except psutil.Error:  # it ended meanwhile
                    continue
            self._bytes = max(self._bytes, total)

    def stop(self) -> int:
        """The most bytes seen."""
        self._ended.set()
        self._thread.join()
        return self._bytes
