"""Translates a folder of SOURCE shards into one language: fill the memory, write the shards.

    report = translate_language(job, paths, engine)

A shard is a pure function of source shard, job and memory entries. A run that was killed, or
stopped with Ctrl-C, goes on where it was when it is started again.
"""

import gc
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from operator import attrgetter
from pathlib import Path
from typing import Any

from palo import shards
from palo.console import note
from palo.engines.stream import Engine
from palo.errors import UserError
from palo.files import digest, file_digest, run_lock, write_json
from palo.memory import Entry, Memories, check_memory, open_memories
from palo.paths import DataPaths
from palo.schemas import IMAGE_TAG, TRANSLATED, Sample, TranslatedSample, Turn, TurnMeta, TurnStatus
from palo.settings import Context
from translate.account import Account, account_for
from translate.events import Failed, Finished, Meter, ShardWritten, Sink, Started
from translate.fill import FillCounts, Filler, shown
from translate.ingest import remove_leftovers
from translate.job import Cut, TranslationJob
from translate.validate import Problem

_meta_values = attrgetter(*(field.name for field in fields(TurnMeta)))  # as asdict, without copies
# what a turn tells of its entry, in the order of TurnMeta
_of_entry = attrgetter("status", "attempts", "finish_reason", "mean_logprob", "engine", "signature")
PERSON = "person"  # TurnMeta.engine of a verified turn; its signature is the reviewer
_OBJECTS_A_COLLECTION = 50_000


class SeedPaths(DataPaths):
    """The data of a run on the samples that people review first."""

    def __init__(self, root: Path, memory_dir: Path | None = None) -> None:
        super().__init__(root, memory_dir)
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
        shares = " + ".join(f"{account.by_status[status]} {status}" for status in TurnStatus)
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
    (`require_whole`), so that one language does not stop the others."""
    try:
        with (
            _seldom_collected(),
            run_lock(paths.memory_dir / job.lang, f"translation into {job.lang}"),
        ):
            # looked through before anything is written: a damaged one is left as it is
            check_memory(paths.memory(job.lang))
            check_memory(paths.verified(job.lang))
            with open_memories(paths, job.lang) as memories:
                forget = memories.machine.forget
                if retry_errors and (number := forget(job.signature, Problem.ENGINE)):
                    note(f"{job.lang}: asking again for {number:,} segments that got no answer")
                return _translate(job, paths, engine, memories, sink)
    except BaseException as error:  # Ctrl-C ends a run like an error
        message = str(error) if isinstance(error, UserError) else str(error)[:200]
        sink(Failed(job.lang, type(error).__name__, message))
        raise


def _translate(
    job: TranslationJob, paths: DataPaths, engine: Engine, memories: Memories, sink: Sink
) -> LanguageReport:
    sources, target_dir = shards.shard_paths(paths.source_dir), paths.translated(job.lang)
    start_s, num_turns, num_written = time.monotonic(), shards.counted(paths.source_dir, "turns"), 0

    def known(number: int, path: Path) -> int | None:
        """Brings a shard up to date; its turns, or None where a translation is missing."""
        nonlocal num_written
        done = write(job, path, target_dir / path.name, memories)
        if done is None:
            return None
        turns, is_new = done
        if is_new:
            num_written += 1
            sink(ShardWritten(job.lang, path.name, number, len(sources)))
        return turns

    sink(Started(job.lang, num_turns, job.signature, job.version))
    remove_leftovers(target_dir)
    meter = Meter(job.lang, num_turns, sink, time.monotonic)
    filler, left = Filler(job, memories, meter), []
    for number, path in enumerate(sources, start=1):
        # what an earlier run wrote needs nothing, if no segment of it has to be sent any more
        turns = known(number, path) if (target_dir / path.name).is_file() else None
        if turns is None:
            left.append((number, path))
        else:
            filler.counts.read(turns, 0, 0)
    counts = filler.run([path for _, path in left], engine)
    meter(counts, last=True)
    missing = [path.name for number, path in left if known(number, path) is None]
    assert not missing, f"{job.lang}: segments neither translated nor known in {missing}"
    shards.remove_shards(target_dir, [target_dir / path.name for path in sources])
    account = account_for(job.lang, sources, target_dir)
    sums: dict[str, Any] = {
        "samples": account.samples,
        "turns": account.turns,
        "by_status": dict(account.by_status),
        "problems": dict(account.problems),
        "shards": account.shards,
        "audit": {
            "whole": account.balanced,
            "source_turns": account.turns,
            "turns_in_shards": account.by_status.total(),
            "verified_with_other_spans": account.by_person,
            "faults": dict(account.fault_counts),
            "first_faults": account.faults,
        },
    }
    made_by = {"lang": job.lang, "signature": job.signature, "prompt_version": job.version}
    write_json(target_dir / "manifest.json", made_by | sums)
    sink(
        Finished(
            lang=job.lang,
            whole=account.balanced,
            sent=counts.sent,
            retried=counts.retried,
            written=num_written,
            elapsed_s=time.monotonic() - start_s,
            **sums,
        )
    )
    return LanguageReport(job.lang, counts, num_written, account)


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


def write(
    job: TranslationJob, source_path: Path, target_path: Path, memories: Memories
) -> tuple[int, bool] | None:
    """Brings the shard up to date: how many turns it has, and whether it was written. None, and
    nothing is done, where no memory holds a segment of the source shard."""
    rows = _rows(job, shards.read_samples(source_path), memories)
    if rows is None:
        return None
    # what the memories said: texts and how they came about
    entries = digest(
        [
            [turn.text, _meta_values(meta)]
            for row in rows
            for turn, meta in zip(row.target, row.meta, strict=True)
        ]
    )
    of_job = digest([job.lang, job.signature, job.version, job.settings.context])
    inputs = {"source": file_digest(source_path), "entries": entries, "job": of_job}
    turns = sum(len(row.target) for row in rows)
    if shards.is_current(target_path, inputs):
        return turns, False
    counts = {"samples": len(rows), "turns": turns}
    shards.write_shard(target_path, list(map(shards.to_row, rows)), TRANSLATED, inputs, counts)
    return turns, True


def _rows(
    job: TranslationJob, samples: Sequence[Sample], memories: Memories
) -> list[TranslatedSample] | None:
    """None where a turn is neither known nor copied."""
    memory, verified = memories
    words = [verified.of_sample(sample.sample_id, sample.turns) for sample in samples]
    said: list[list[str | None]] = [[] for _ in samples]
    cuts: list[Iterable[Cut]] = list(map(job.cuts, samples, said))
    machine: dict[bytes, Entry] = {}
    # a dialogue's keys are known only once the texts of the turns before are
    if job.settings.context is not Context.DIALOGUE:
        cuts = list(map(list, cuts))
        keys = {
            key: None
            for of_person, of_sample in zip(words, cuts, strict=True)
            for index, (_, key) in enumerate(of_sample)
            if key and index not in of_person
        }
        machine = memory.get(list(keys))
        if len(machine) < len(keys):
            return None
    rows = []
    for sample, of_sample, of_person, heard in zip(samples, cuts, words, said, strict=True):
        targets, metas = [], []
        for index, (cut, key) in enumerate(of_sample):
            turn, later = sample.turns[index], None  # the text as later turns of a dialogue see it
            if word := of_person.get(index):
                text, later = cut.reframe(word.text), word.text
                meta = TurnMeta(TurnStatus.VERIFIED, 0, "stop", None, PERSON, word.reviewer, "", "")
            elif not key:
                text = later = turn.text
                meta = TurnMeta(TurnStatus.COPIED, 0, "", None, "", "", "", "")
            elif entry := machine.get(key) or memory.get([key]).get(key):
                text, later = cut.restore(entry.text), shown(cut, entry)
                values = (*_of_entry(entry), entry.key.hex(), entry.problem)
                meta = TurnMeta(*values)
                assert text.count(IMAGE_TAG) >= (cut.prefix + cut.suffix).count(IMAGE_TAG)
            else:
                return None
            heard.append(later)
            targets.append(Turn(turn.role, text))
            metas.append(meta)
        rows.append(
            TranslatedSample(
                sample_id=sample.sample_id,
                source_id=sample.source_id,
                lang=job.lang,
                image=sample.image,
                source=sample.turns,
                target=tuple(targets),
                meta=tuple(metas),
                origin=sample.origin,
            )
        )
    return rows
