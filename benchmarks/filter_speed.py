"""Measures the default filters: segments a second on two cores, memory, and datatrove beside them.

    .venv/bin/python -m benchmarks.filter_speed
    .venv/bin/python -m benchmarks.filter_speed --peer-python <python with palo's extra `peers`>

Rows are the gold pairs of benchmarks/gold, of all nine languages, again and again: as they are
(about 30 characters), and several joined to about 240. The whole of `palo refine check` behind
the reading of the file is timed, from the start of its processes to the last line written.
`peak_rss_mib` sums the proportional set sizes of all processes over a few and over many rows.
`ratio_to_datatrove` is our speed over that of datatrove's LanguageFilter and
GopherRepetitionFilter on the same rows in as many processes; it is null where datatrove is not
there. Its blocks are as they come, with their defaults: its fastText (numpy 2 build), its word
tokenizers a language (spaCy, jieba, Sudachi, Indic NLP: palo's extra `peers`). In its favour: the
model file is ours, the small one, where it would fetch lid.176.bin; a language whose tokenizer
fetch a model is parted at white space instead; documents are made in memory, nothing is written.
"""

import argparse
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import cache
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
WITHOUT_TOKENIZER: set[str] = set()  # languages whose tokenizer wants to fetch a model (Stanza's)
Batch = tuple[str, list[NumberedRow]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=300_000, help="of about 30 characters")
    parser.add_argument("--peer-python", default=sys.executable)
    parser.add_argument("--judge", type=Path, help=argparse.SUPPRESS)  # as datatrove, rows of JSON
    options = parser.parse_args()
    if options.judge:
        return print(datatrove_speed(options.judge))
    gold = gold_pairs()
    long = {lang: list(joined(pairs)) for lang, pairs in gold.items()}
    figures: dict[str, Any] = {"cores": cores(), "rows": options.rows}
    peaks = []
    for name, pairs, rows in (
        ("few", gold, options.rows // 4),
        ("30", gold, options.rows),
        ("240", long, options.rows // 4),
    ):
        speed, peak = timed(pairs, rows)
        peaks.append(peak)
        figures[f"peak_rss_mib_{name}"] = round(peak)
        if name != "few":
            figures[f"segments_per_s_{name}"] = round(speed)
            figures[f"datatrove_per_s_{name}"] = datatrove(options.peer_python, pairs, rows)
            print(json.dumps(figures), flush=True)
    figures["peak_rss_mib"] = round(max(peaks))
    ratios = [
        figures[f"segments_per_s_{name}"] / figures[f"datatrove_per_s_{name}"]
        for name in ("30", "240")
        if figures[f"datatrove_per_s_{name}"]
    ]
    figures["ratio_to_datatrove"] = round(min(ratios), 3) if ratios else None
    figures["limits"] = LIMITS
    return finish(figures)


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
    rows = (
        {"lang": lang, "text": row.target}
        for lang, batch in batches(pairs, num_rows)
        for _, row in batch
        if isinstance(row, TurnPair)
    )
    with (
        tempfile.TemporaryDirectory() as cache_dir,
        tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".jsonl") as file,
    ):
        file.writelines(json.dumps(row) + "\n" for row in rows)
        file.flush()
        command = [python, "-m", "benchmarks.filter_speed", "--judge", file.name]
        environment = {**os.environ, "HF_ASSETS_CACHE": cache_dir}
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment)
    if done.returncode:
        print(done.stderr.strip().rpartition("\n")[2], file=sys.stderr)
        return None
    return float(done.stdout.strip().rpartition("\n")[2])


def datatrove_speed(rows_path: Path) -> float:
    """Segments a second, in a process whose Python has datatrove."""
    rows = [json.loads(line) for line in rows_path.read_text(encoding="utf-8").splitlines()]
    parts = [rows[at : at + BATCH_ROWS] for at in range(0, len(rows), BATCH_ROWS)]
    start = time.monotonic()
    with multiprocessing.get_context("spawn").Pool(PROCESSES) as pool:
        for _ in pool.imap(judged_by_datatrove, parts):
            continue
    return len(rows) / (time.monotonic() - start)


def judged_by_datatrove(rows: list[dict[str, str]]) -> None:
    from datatrove.data import Document

    for row in rows:
        document = Document(text=row["text"], id="0")
        for judge in datatrove_filters(row["lang"]):
            if judge.filter(document) is not True:
                break


@cache
def datatrove_filters(lang: str) -> tuple[Any, Any]:
    from datatrove.pipeline.filters import GopherRepetitionFilter, LanguageFilter
    from datatrove.pipeline.filters import gopher_repetition_filter as gopher
    from datatrove.utils.text import split_into_words

    try:
        split_into_words("a", lang)
    except Exception:  # whatever the fetching library raises without a network
        WITHOUT_TOKENIZER.add(lang)
    gopher.split_into_words = lambda text, language: (
        text.split() if language in WITHOUT_TOKENIZER else split_into_words(text, language)
    )
    language = LanguageFilter(languages=[lang])
    language.model._model = datatrove_model()
    return language, GopherRepetitionFilter(language=lang)


@cache
def datatrove_model() -> object:
    """One a process, not one a language."""
    from datatrove.utils.lid import FT176LID

    FT176LID.MODEL_URL = str(bundled_model_path())  # copied where it would have fetched one
    return FT176LID().model


if __name__ == "__main__":
    main()
