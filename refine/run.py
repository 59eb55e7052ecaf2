"""Runs refine for one language: reviews in, shards judged, the next review batch out."""

from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from palo.files import file_digest, read_json, run_lock, write_json
from palo.memory import VerifiedMemory, check_memory
from palo.paths import DataPaths
from palo.schemas import Verdict
from palo.settings import Profile, RefineSettings
from palo.shards import counted, read_record, remove_shards, shard_paths
from palo.workers import in_order
from refine.intake import Intake, load_rejections, take_in
from refine.judgement import (
    REASON_COUNT,
    VERDICT_COUNT,
    Rejected,
    judge_inputs,
    processes,
    refine_shard,
)
from refine.queue import Queue
from refine.signatures import SIGNATURES, build_table

_SAMPLES_FOR_PROCESSES = 4000
_HISTORY_NAME = "history.json"


@dataclass(frozen=True)
class LanguageSummary:
    lang: str
    manifest: dict[str, Any]
    intake: Intake
    queue: Queue
    shards_done: int
    shards_current: int


def refine_language(
    profile: Profile, lang: str, seed: bool, now: str, tick: Callable[[], None] = lambda: None
) -> LanguageSummary:
    """Takes in reviews, brings the refined shards up to date and writes the next review batch.

    With `seed` it judges the seed's translations instead, and exports all of their turns.
    `now` dates verified entries; `tick` is called after each shard. Raises UserError where the
    verified memory is damaged, before anything is written.
    """
    paths = profile.paths
    check_memory(paths.verified(lang))
    with (
        run_lock(paths.refined(lang), f"palo refine {lang}"),
        VerifiedMemory(paths.verified(lang)) as memory,
    ):
        intake = take_in(paths, lang, memory, now)
        rejected = load_rejections(paths.review(lang))
        settings, queue = profile.refine, Queue(paths, lang, now)
        done = current = 0
        if seed:
            queue.send_seed(settings, memory, rejected)
        else:
            done, current = _refine_shards(paths, lang, settings, rejected, tick)
            queue.send_flagged(settings.max_review_rows)
            queue.send_audit(settings.audit_rows)
        queue.send_adjudication(intake.conflicts, settings.max_review_rows)
        if settings.review_xlsx:
            queue.write_workbooks()
        folder = paths.refined(lang)
        manifest = _manifest(lang, folder)
        if not seed:
            write_json(folder / "manifest.json", manifest)
            flagged = sum(manifest["by_verdict"][said] for said in Verdict if said.flagged)
            state = State(now, manifest["turns"], flagged, manifest["reviewed"])
            known = load_history(folder)
            if state.turns and (not known or replace(known[-1], at=now) != state):
                write_json(folder / _HISTORY_NAME, [asdict(each) for each in (*known, state)])
    return LanguageSummary(lang, manifest, intake, queue, done, current)


def _refine_shards(
    paths: DataPaths,
    lang: str,
    settings: RefineSettings,
    rejected: Rejected,
    tick: Callable[[], None],
) -> tuple[int, int]:
    """How many shards were written, and how many were up to date."""
    sources, folder = shard_paths(paths.translated(lang)), paths.refined(lang)
    is_much = counted(paths.translated(lang)) >= _SAMPLES_FOR_PROCESSES
    number = min(processes(settings, is_much), max(1, len(sources)))
    table = build_table(sources, folder / SIGNATURES, lang, number)
    inputs, done = judge_inputs(settings), 0
    work = partial(refine_shard, settings, paths, lang, rejected, table, file_digest(table), inputs)
    for written in in_order(work, sources, number, "judged translations", "refine.processes"):
        done += written
        tick()
    remove_shards(folder, [folder / source.name for source in sources])
    return done, len(sources) - done


def _manifest(lang: str, folder: Path) -> dict[str, Any]:
    """Sums of the shards' records. `by_reason` counts flagged turns by the filters that spoke."""
    total: Counter[str] = Counter()
    for path in shard_paths(folder):
        if record := read_record(path):
            total.update(record.counts)
    return {
        "lang": lang,
        **{name: total[name] for name in ("samples", "turns", "kept", "flagged", "reviewed")},
        "by_verdict": {str(verdict): total[VERDICT_COUNT + verdict] for verdict in Verdict},
        "by_reason": {
            key.removeprefix(REASON_COUNT): count
            for key, count in sorted(total.items())
            if key.startswith(REASON_COUNT)
        },
    }


@dataclass(frozen=True)
class State:
    """How many turns were flagged, and how many are people's words, at the time of a run (ISO)."""

    at: str
    turns: int
    flagged: int
    reviewed: int = 0

    @property
    def share(self) -> float:
        return self.flagged / self.turns

    @property
    def machine_share(self) -> float | None:
        """Of the turns that stand as the machine wrote them."""
        machine = self.turns - self.reviewed
        return self.flagged / machine if machine else None


def load_history(folder: Path) -> list[State]:
    """Oldest first; empty for a language that was refined before histories were written."""
    return [State(**row) for row in read_json(folder / _HISTORY_NAME, [])]
