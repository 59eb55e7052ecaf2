"""Translates a folder of SOURCE shards into one language: fill the memory, write the shards.

    report = translate_language(job, paths, engine)

A run that was killed, or stopped with Ctrl-C, goes on where it was when it is started again.
"""

import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from palo.console import note
from palo.engines.stream import Engine
from palo.errors import UserError
from palo.files import run_lock, write_json
from palo.memory import TranslationMemory, VerifiedMemory, check_memory
from palo.paths import DataPaths
from palo.shards import read_record, remove_shards, shard_paths
from translate.account import Account, account_for
from translate.events import Failed, Finished, Meter, ShardWritten, Sink, Started
from translate.fill import FillCounts, Filler
from translate.ingest import remove_leftovers
from translate.job import TranslationJob
from translate.validate import Problem
from translate.write import Writer

_OBJECTS_A_COLLECTION = 50_000


class SeedPaths(DataPaths):
    """The data of a run on the samples that people review first."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.source_dir = self.seed_dir / "source"

    def translated(self, lang: str) -> Path:
        return self.seed_dir / lang


@dataclass(frozen=True)
class LanguageReport:
    """`written` counts the shards that were not up to date."""

    lang: str
    fill: FillCounts
    written: int
    account: Account

    @property
    def line(self) -> str:
        """`ur: 40 samples, 160 turns = 3 verified + 150 translated + 5 copied + 2 failed; ...`"""
        account = self.account
        shares = " + ".join(
            f"{account.by_status[name]} {name}"
            for name in ("verified", "translated", "copied", "failed")
        )
        text = (
            f"{self.lang}: {account.samples} samples, {account.turns} turns = {shares}; "
            f"{self.fill.sent} segments sent, {self.fill.retried} retries, "
            f"{self.written} of {account.shards} shards written"
        )
        if account.problems:
            reasons = ", ".join(f"{name} {n}" for name, n in account.problems.most_common())
            text += f"; failures: {reasons}"
        return text


def translate_language(
    job: TranslationJob,
    paths: DataPaths,
    engine: Engine,
    retry_errors: bool = False,
    sink: Sink = lambda event: None,
) -> LanguageReport:
    """Raises Locked while another process works on this language, UserError on a full disk.

    `retry_errors` asks again what got no answer for the engine's sake; what was answered badly
    would only be answered so again. Whether the account balances is for the caller to ask
    (`require_whole`), so that one language does not stop the others.
    """
    sources, target_dir = shard_paths(paths.source_dir), paths.translated(job.lang)
    start_s = time.monotonic()
    with (
        _errors_told(job.lang, sink),
        _seldom_collected(),
        run_lock(paths.memory_dir / job.lang, f"translation into {job.lang}"),
        _memories(paths, job.lang) as (memory, verified),
    ):
        records = (read_record(path) for path in sources)
        turns = sum(record.counts["turns"] for record in records if record)
        sink(Started(job.lang, turns, job.signature, job.version))
        remove_leftovers(target_dir)
        if retry_errors and (number := memory.forget(job.signature, Problem.ENGINE)):
            note(f"{job.lang}: asking again for {number:,} segments that got no answer")
        names = [path.name for path in sources]

        def wrote(name: str) -> None:
            sink(ShardWritten(job.lang, name, names.index(name) + 1, len(names)))

        writer = Writer(job, target_dir, memory, verified, wrote)
        left = [path for path in sources if not writer.again(path)]
        meter = Meter(job.lang, turns, sink, time.monotonic)
        filler = Filler(job, memory, verified, meter)
        filler.counts.read(writer.turns, 0, 0)  # of shards that need nothing
        counts = filler.run(left, engine)
        meter.tell(counts)
        missing = [path.name for path in left if not writer.write(path)]
        assert not missing, f"{job.lang}: segments neither translated nor known in {missing}"
        remove_shards(target_dir, [target_dir / name for name in names])
        account = account_for(job.lang, sources, target_dir)
        sums: dict[str, Any] = {
            "samples": account.samples,
            "turns": account.turns,
            "by_status": dict(account.by_status),
            "problems": dict(account.problems),
            "shards": account.shards,
            "audit": account.summary,
        }
        made_by = {"lang": job.lang, "signature": job.signature, "prompt_version": job.version}
        write_json(target_dir / "manifest.json", made_by | sums)
        finished = Finished(
            lang=job.lang,
            whole=account.balanced,
            sent=counts.sent,
            retried=counts.retried,
            written=writer.written,
            elapsed_s=time.monotonic() - start_s,
            **sums,
        )
        sink(finished)
    return LanguageReport(job.lang, counts, writer.written, account)


@contextmanager
def _seldom_collected() -> Iterator[None]:
    """A shard is millions of small objects without cycles. Looking through them for cycles at
    Python's own pace takes a quarter of the time of a run that finds all of them in the memory."""
    before = gc.get_threshold()
    gc.set_threshold(_OBJECTS_A_COLLECTION, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


@contextmanager
def _errors_told(lang: str, sink: Sink) -> Iterator[None]:
    try:
        yield
    except BaseException as error:  # Ctrl-C ends a run like an error
        message = str(error) if isinstance(error, UserError) else str(error)[:200]
        sink(Failed(lang, type(error).__name__, message))
        raise


@contextmanager
def _memories(paths: DataPaths, lang: str) -> Iterator[tuple[TranslationMemory, VerifiedMemory]]:
    """Both, looked through before anything is written: a damaged one is left as it is."""
    check_memory(paths.memory(lang))
    check_memory(paths.verified(lang))
    with (
        TranslationMemory(paths.memory(lang)) as memory,
        VerifiedMemory(paths.verified(lang)) as verified,
    ):
        yield memory, verified
