"""Translates a folder of SOURCE shards into one language: fill the memory, write the shards.

    report = translate_language(job, places, engine)

A run that was killed, or stopped with Ctrl-C, goes on where it was when it is started again.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from palo.console import note, progress
from palo.engines.stream import Engine
from palo.lock import run_lock
from palo.memory import TranslationMemory, VerifiedMemory
from palo.paths import DataPaths
from palo.shards import read_record, remove_shards, shard_paths, write_json
from translate.fill import FillCounts, Filler
from translate.ingest import remove_leftovers
from translate.job import Job
from translate.validate import Problem
from translate.write import Audit, write_shards


@dataclass(frozen=True)
class Places:
    """Where one language is read from and written to."""

    source_dir: Path
    target_dir: Path
    memory_path: Path
    verified_path: Path

    @classmethod
    def of(cls, paths: DataPaths, lang: str) -> "Places":
        return cls(
            paths.source_dir, paths.translated(lang), paths.memory(lang), paths.verified(lang)
        )


@dataclass(frozen=True)
class LanguageReport:
    lang: str
    fill: FillCounts
    audit: Audit

    @property
    def line(self) -> str:
        """`ur: 2410 turns = 310 verified + 2060 translated + 34 copied + 6 failed; ...`"""
        status = self.audit.by_status
        shares = " + ".join(
            f"{status[name]} {name}" for name in ("verified", "translated", "copied", "failed")
        )
        text = (
            f"{self.lang}: {self.audit.samples} samples, {self.audit.turns} turns = {shares}; "
            f"{self.fill.sent} segments sent, {self.fill.retried} retries, "
            f"{self.audit.written} of {self.audit.shards} shards written"
        )
        if self.audit.problems:
            reasons = ", ".join(f"{name} {n}" for name, n in self.audit.problems.most_common())
            text += f"; failures: {reasons}"
        return text


def translate_language(
    job: Job, places: Places, engine: Engine, retry_errors: bool = False
) -> LanguageReport:
    """Raises Locked while another process works on this language, UserError on a full disk.

    `retry_errors` asks again what got no answer for the engine's sake; what was answered badly
    would only be answered so again.
    """
    sources = shard_paths(places.source_dir)
    with (
        run_lock(places.memory_path.parent / job.lang, f"translation into {job.lang}"),
        TranslationMemory(places.memory_path) as memory,
        VerifiedMemory(places.verified_path) as verified,
    ):
        remove_leftovers(places.target_dir)
        if retry_errors and (number := memory.forget(job.signature, Problem.ENGINE)):
            note(f"{job.lang}: asking again for {number:,} segments that got no answer")
        with progress(f"translate {job.lang}", _turns(sources)) as tick:
            filler = Filler(job, memory, verified, _now, tick)
            counts = filler.run(sources, engine)
        audit = write_shards(job, sources, places.target_dir, memory, verified)
        remove_shards(places.target_dir, [places.target_dir / path.name for path in sources])
        assert audit.balanced, f"{job.lang}: the audit does not add up: {audit}"
        write_json(places.target_dir / "manifest.json", _manifest(job, audit))
    return LanguageReport(job.lang, counts, audit)


def _turns(sources: list[Path]) -> int:
    records = (read_record(path) for path in sources)
    return sum(record.counts["turns"] for record in records if record)


def _manifest(job: Job, audit: Audit) -> dict[str, Any]:
    return {
        "lang": job.lang,
        "samples": audit.samples,
        "turns": audit.turns,
        "by_status": dict(audit.by_status),
        "problems": dict(audit.problems),
        "shards": audit.shards,
        "signature": job.signature,
        "prompt_version": job.version,
    }


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
