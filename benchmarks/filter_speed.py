"""Measures the default filters: segments a second on two cores, memory, and datatrove beside them.

    .venv/bin/python -m benchmarks.filter_speed
    .venv/bin/python -m benchmarks.filter_speed --peer-python <python with datatrove>

Rows are the gold pairs of benchmarks/gold, of all nine languages, again and again: as they are
(about 30 characters), and several joined to about 240. The whole of `palo refine check` behind
the reading of the file is timed, from the start of its processes to the last line written.
`peak_rss_mib` sums the proportional set sizes of all processes over a few and over many rows.
`ratio_to_datatrove` is our speed over that of datatrove's LanguageFilter and
GopherRepetitionFilter on the same rows in as many processes (benchmarks/datatrove_filters.py); it
is null where datatrove is not there.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from benchmarks.harness import MIB, ROOT, PeakMemory, cores, finish, gold_pairs
from palo.checks.language import bundled_model_path
from palo.settings import RefineSettings
from palo.workers import in_order
from refine.check import judge_batch
from refine.filters import TurnPair
from refine.pairs import NumberedRow

LIMITS = {"segments_per_s_30": 15_000, "segments_per_s_240": 4_000, "peak_rss_mib": 1024}
PROCESSES = 2
BATCH_ROWS = 2048
LONG_CHARS = 240
Batch = tuple[str, list[NumberedRow]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=300_000, help="of about 30 characters")
    parser.add_argument("--peer-python", default=sys.executable)
    options = parser.parse_args()
    gold = gold_pairs()
    long = {lang: list(joined(pairs)) for lang, pairs in gold.items()}
    figures: dict[str, Any] = {"cores": cores(), "rows": options.rows}
    peaks, ratios = [], []
    for name, pairs, rows in (
        ("few", gold, options.rows // 4),
        ("30", gold, options.rows),
        ("240", long, options.rows // 4),
    ):
        speed, peak = timed(pairs, rows)
        peaks.append(peak)
        figures[f"peak_rss_mib_{name}"] = round(peak)
        if name != "few":
            theirs = datatrove(options.peer_python, pairs, rows)
            figures[f"segments_per_s_{name}"] = round(speed)
            figures[f"datatrove_per_s_{name}"] = theirs
            ratios += [speed / theirs] if theirs else []
            print(json.dumps(figures), flush=True)
    figures["peak_rss_mib"] = round(max(peaks))
    figures["ratio_to_datatrove"] = round(min(ratios), 3) if ratios else None
    finish(figures | {"limits": LIMITS})


def joined(pairs: list[TurnPair]) -> Iterator[TurnPair]:
    """Neighbouring pairs as one, until their English and their translation are long enough."""
    source, target = "", ""
    for pair in pairs:
        source, target = f"{source} {pair.source}".strip(), f"{target} {pair.target}".strip()
        if (len(source) + len(target)) / 2 >= LONG_CHARS - 15:
            yield TurnPair(source, target)
            source, target = "", ""


def batches(pairs: dict[str, list[TurnPair]], num_rows: int) -> Iterator[Batch]:
    """The languages in turns, a batch each."""
    sources = {lang: cycle(rows) for lang, rows in sorted(pairs.items())}
    left = num_rows
    for lang in cycle(sources):
        size = min(BATCH_ROWS, left)
        if not size:
            return
        rows = islice(sources[lang], size)
        yield lang, list(enumerate(rows))
        left -= size


def judged(batch: Batch) -> str:
    return judge_batch(RefineSettings(), *batch).lines


def timed(pairs: dict[str, list[TurnPair]], num_rows: int) -> tuple[float, float]:
    """Segments a second, and the peak memory in MiB."""
    memory = PeakMemory()
    start = time.monotonic()
    with tempfile.TemporaryFile("w", encoding="utf-8") as file:
        for lines in in_order(judged, batches(pairs, num_rows), PROCESSES, "judged"):
            file.write(lines)
    speed = num_rows / (time.monotonic() - start)
    return speed, memory.stop() / MIB


def datatrove(python: str, pairs: dict[str, list[TurnPair]], num_rows: int) -> float | None:
    """Its segments a second, or None where it is not installed."""
    with tempfile.TemporaryDirectory() as folder:
        rows_path = Path(folder) / "rows.jsonl"
        with rows_path.open("w", encoding="utf-8") as file:
            for lang, rows in batches(pairs, num_rows):
                texts = [row.target for _, row in rows if isinstance(row, TurnPair)]
                file.write(json.dumps([lang, texts]) + "\n")
        given = (rows_path, bundled_model_path(), PROCESSES)
        command = [python, "-m", "benchmarks.datatrove_filters", *map(str, given)]
        environment = {**os.environ, "HF_ASSETS_CACHE": folder}
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment)
    if done.returncode:
        print(done.stderr.strip().rpartition("\n")[2], file=sys.stderr)
        return None
    return float(done.stdout.strip().rpartition("\n")[2])


if __name__ == "__main__":
    main()
