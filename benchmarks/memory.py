"""Measures what the translation memory and the bookkeeping around it cost, with no model at all.

    .venv/bin/python -m benchmarks.memory

`resume_s`: a second `palo translate` of a finished run: the source is checked against its shards,
every segment is looked up, every shard is proven to be up to date. Imports are left out.
`rss_growth`: peak memory of a run over many segments divided by that of a run over few, reading
the source included. `writes_per_s`: entries a second into a memory that holds millions, in the
batches that a run commits.

The source has the shape of LLaVA-Instruct (of 14 samples 5 conversations, 7 reasonings, 2
descriptions) with no text twice; the engine answers at once with the words in reverse and in
Cyrillic letters.
Needs about 6 GB of temporary disk at full size.
"""

import argparse
import json
import random
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.harness import MIXTURE, SHAPES, Prose, apart, cores, finish, peak_rss_mib
from palo.engines.stream import Request, Result, ScriptedEngine
from palo.memory import Entry, TranslationMemory, machine_key
from palo.paths import DataPaths
from palo.schemas import TurnStatus
from palo.settings import SourceSettings, TranslatorSettings
from translate.fill import COMMIT_ENTRIES
from translate.ingest import ingest
from translate.job import TranslationJob
from translate.run import translate_language

LIMIT_RESUME_S = 10.0
LIMIT_RSS_GROWTH = 1.10
LIMIT_WRITES_PER_S = 15_000
LANG = "ru"
_CYRILLIC = str.maketrans("abcdefghijklmnopqrstuvwxyz", "абцдефгхижклмнопярстувшхыз")
ANSWER_CHARS = (500, 1000)  # of the entries that are written


class Numbered(Prose):
    """English; the number in front makes each text unique."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed, "etaoinshrdlucmfwypvbgk", 500_000, 10)
        self._made = 0

    def text(self, num_chars: int) -> str:
        self._made += 1
        return f"{self._made} {super().text(num_chars)}"

    def answer(self) -> str:
        return self.text(self.rng.randint(*ANSWER_CHARS))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--resume-segments", type=int, default=200_000)
    parser.add_argument("--few-segments", type=int, default=20_000)
    parser.add_argument("--many-segments", type=int, default=1_000_000)
    parser.add_argument("--entries", type=int, default=2_400_000)
    parser.add_argument("--measured-entries", type=int, default=100_000)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        first = fresh(Path(folder) / "resume", chosen.resume_segments)
        resumed = apart(whole_run, Path(folder) / "resume")
        assert (resumed["sent"], resumed["written"]) == (0, 0), resumed
        assert resumed["turns"] == first["turns"], resumed
    with tempfile.TemporaryDirectory() as folder:
        few = fresh(Path(folder) / "few", chosen.few_segments)
        many = fresh(Path(folder) / "many", chosen.many_segments)
    with tempfile.TemporaryDirectory() as folder:
        writes_per_s = write(Path(folder), chosen.entries, chosen.measured_entries)
    growth = many["peak_rss_mib"] / few["peak_rss_mib"]
    finish(
        {
            "cores": cores(),
            "resume_s": resumed["seconds"],
            "resume_to_limit": round(resumed["seconds"] / LIMIT_RESUME_S, 3),
            "rss_growth": round(growth, 3),
            "rss_growth_to_limit": round(growth / LIMIT_RSS_GROWTH, 3),
            "writes_per_s": round(writes_per_s),
            "limit_to_writes": round(LIMIT_WRITES_PER_S / writes_per_s, 3),
            "runs": {"resume": resumed, "few": few, "many": many},
            "entries": chosen.entries,
        }
    )


def fresh(folder: Path, num_segments: int) -> dict[str, Any]:
    write_source(folder / "llava.json", num_segments)
    report: dict[str, Any] = apart(whole_run, folder)
    assert report["sent"] == num_segments, report
    return report


def whole_run(folder: Path) -> dict[str, Any]:
    """What `palo translate` does once everything is imported."""
    paths = DataPaths(folder / "data")
    start, cpu = time.monotonic(), time.process_time()
    ingest(SourceSettings(path=folder / "llava.json"), paths.source_dir)
    ingested = time.monotonic()
    settings = TranslatorSettings(model="none", finetuned_dir=folder / "tuned")
    engine = ScriptedEngine(script=reverse)
    job = TranslationJob.of(LANG, str(engine.signature), settings)
    report = translate_language(job, paths, engine)
    return {
        "seconds": round(time.monotonic() - start, 2),
        "cpu_seconds": round(time.process_time() - cpu, 2),  # tells a busy machine from slow code
        "ingest_seconds": round(ingested - start, 2),
        "peak_rss_mib": peak_rss_mib(),
        "samples": report.account.samples,
        "turns": report.account.turns,
        "sent": report.fill.sent,
        "written": report.written,
    }


def reverse(request: Request) -> Result:
    """As long as the source, in other letters, so that it passes validation."""
    words = request.messages[-1].content.rpartition("\nText: ")[2].split()
    text = " ".join(reversed(words)).translate(_CYRILLIC)
    return Result(request.tag, text, "stop", -0.25, len(words), len(words))


def write_source(path: Path, num_segments: int) -> None:
    """A LLaVA-Instruct file with so many turns, none like another; written as it is made."""
    path.parent.mkdir(parents=True)
    prose, left = Numbered(seed=7), num_segments
    with path.open("w", encoding="utf-8") as file:
        for number, shape in enumerate(shapes(num_segments)):
            turns = [
                {"from": ("human", "gpt")[at % 2], "value": prose.text(num_chars)}
                for at, num_chars in enumerate(shape)
            ]
            turns[0]["value"] += "\n<image>"
            item = {"id": f"{number:012d}", "image": f"{number}.jpg", "conversations": turns}
            file.write(("[" if left == num_segments else ",\n") + json.dumps(item))
            left -= len(turns)
        file.write("]")
    assert not left


def shapes(num_segments: int) -> Iterator[tuple[int, ...]]:
    """Conversations by the mixture, the last one cut so that the number comes out."""
    assert num_segments % 2 == 0, "a conversation has an even number of turns"
    rng = random.Random(11)
    while num_segments:
        shape = SHAPES[rng.choice(MIXTURE)][:num_segments]
        num_segments -= len(shape)
        yield shape


def write(folder: Path, num_entries: int, num_measured: int) -> float:
    """Entries a second once `num_entries` are in the memory; making them is not counted."""
    prose, seconds = Numbered(seed=9), 0.0
    with TranslationMemory(folder / f"{LANG}.sqlite") as memory:
        for batch in batches(prose, num_entries):
            memory.put(batch)
        for batch in batches(prose, num_measured):
            start = time.monotonic()
            memory.put(batch)
            seconds += time.monotonic() - start
        assert memory.count() == num_entries + num_measured
    return num_measured / seconds


def batches(prose: Numbered, num_entries: int) -> Iterator[list[Entry]]:
    """As `palo translate` commits them when its engine outruns the clock."""
    like = Entry(
        key=b"",
        source="",
        context="",
        text="",
        status=TurnStatus.TRANSLATED,
        finish_reason="stop",
        mean_logprob=-0.25,
        attempts=1,
        engine="vllm",
        signature="tencent/Hy-MT2-7B|0123456789abcdef0123456789abcdef01234567|bfloat16",
        prompt_version="0123456789ab.1",
        problem="",
        created="2026-01-01T00:00:00+00:00",
    )
    for start in range(0, num_entries, COMMIT_ENTRIES):
        made = []
        for _ in range(min(COMMIT_ENTRIES, num_entries - start)):
            source, context = prose.answer(), prose.text(SHAPES["reasoning"][0])
            key = machine_key(like.signature, like.prompt_version, LANG, source, context)
            made.append(replace(like, key=key, source=source, context=context, text=prose.answer()))
        yield made


if __name__ == "__main__":
    main()
