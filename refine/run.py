"""Runs refine for one language: reviews in, shards judged, the next review batch out."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from palo.checks.language import LanguageId
from palo.lock import run_lock
from palo.memory import VerifiedMemory, english_context
from palo.paths import DataPaths
from palo.schemas import REFINED, RefinedSample, TranslatedSample, TurnStatus, Verdict
from palo.settings import Profile
from palo.settings.refine import RefineSettings
from palo.shards import (
    digest,
    file_digest,
    is_current,
    read_record,
    read_refined,
    read_translated,
    refined_to_row,
    remove_shards,
    shard_paths,
    write_json,
    write_shard,
)
from refine.filters import Filter, default_filters, version
from refine.intake import Intake, load_rejections, take_in
from refine.judgement import HumanWord, Rejection, TurnKey, flagged, refine_samples
from refine.queue import BATCH, SEED, Queue, all_rows, export_review, flagged_rows
from refine.review_csv import review_id

_VERDICT, _REASON = "verdict:", "reason:"  # prefixes of a record's counts
_NO_ROWS = Queue(0, 0, (), ())


@dataclass(frozen=True)
class LanguageSummary:
    lang: str
    manifest: dict[str, Any]
    intake: Intake
    queue: Queue
    shards_done: int
    shards_current: int


@dataclass(frozen=True)
class _Judge:
    """What decides a refined shard, beside its input."""

    settings: RefineSettings
    filters: tuple[Filter, ...]
    inputs: dict[str, str]


def has_input(paths: DataPaths, lang: str) -> bool:
    return bool(shard_paths(paths.translated(lang)) or shard_paths(paths.seed_dir / lang))


def refine_language(
    profile: Profile, lang: str, seed: bool, now: str, tick: Callable[[], None] = lambda: None
) -> LanguageSummary:
    """Takes in reviews, brings the refined shards up to date and writes the next review batch.

    With `seed` it judges the seed's translations instead, and exports all of their turns.
    `now` dates verified entries; `tick` is called after each shard.
    """
    paths = DataPaths(profile.data_dir)
    with (
        run_lock(paths.refined(lang), f"palo refine {lang}"),
        VerifiedMemory(paths.verified(lang)) as memory,
    ):
        intake = take_in(paths, lang, memory, now)
        rejected = load_rejections(paths.review(lang))
        judge = _judge(profile.refine)
        if seed:
            queue = _export_seed(paths, lang, judge, memory, rejected)
            done = current = 0
        else:
            done, current = _refine_shards(paths, lang, judge, memory, rejected, tick)
            queue = _export_batch(paths, lang, profile.refine.max_review_rows)
        manifest = _manifest(lang, paths.refined(lang))
        if not seed:
            write_json(paths.refined(lang) / "manifest.json", manifest)
    return LanguageSummary(lang, manifest, intake, queue, done, current)


def _judge(settings: RefineSettings) -> _Judge:
    model = LanguageId(settings.language_id_model).model_path
    said = settings.model_dump(mode="json", exclude={"language_id_model", "max_review_rows", "processes"})
    inputs = {
        "settings": digest(said),
        "filters": version(),
        "language_id": file_digest(model) if model.is_file() else "",
    }
    return _Judge(settings, default_filters(settings), inputs)


def _refine_shards(
    paths: DataPaths,
    lang: str,
    judge: _Judge,
    memory: VerifiedMemory,
    rejected: dict[str, Rejection],
    tick: Callable[[], None],
) -> tuple[int, int]:
    """How many shards were written, and how many were up to date."""
    done = current = 0
    kept_paths = []
    for source in shard_paths(paths.translated(lang)):
        path = paths.refined(lang) / source.name
        kept_paths.append(path)
        samples = read_translated(source)
        word = _human_word(samples, memory, rejected)
        inputs = {**judge.inputs, "translated": file_digest(source), "verified": _digest(word)}
        if is_current(path, inputs):
            current += 1
        else:
            refined = refine_samples(samples, judge.filters, judge.settings, word)
            rows = [refined_to_row(one) for one in refined]
            write_shard(path, rows, REFINED, inputs, _counts(refined))
            done += 1
        tick()
    remove_shards(paths.refined(lang), kept_paths)
    return done, current


def _human_word(
    samples: Sequence[TranslatedSample], memory: VerifiedMemory, rejected: dict[str, Rejection]
) -> HumanWord:
    """The verified entries and rejections that these samples use, and no others."""
    verified = {}
    if memory.count():
        for sample in samples:
            for turn, source in enumerate(sample.source):
                context = english_context(sample.source, turn)
                entry = memory.find(sample.sample_id, turn, source.text, context)
                if entry is not None:
                    verified[(sample.sample_id, turn)] = entry
    used = {}
    if rejected:
        for sample in samples:
            for turn in range(len(sample.source)):
                key = review_id(sample.sample_id, turn)
                if key in rejected:
                    used[key] = rejected[key]
    return HumanWord(verified, used)


def _digest(word: HumanWord) -> str:
    def said(item: tuple[TurnKey, Any]) -> list[Any]:
        (sample_id, turn), entry = item
        return [sample_id, turn, entry.text, entry.reviewer, entry.batch]

    rejected = [
        [key, one.translation, one.reviewer, one.batch, one.note]
        for key, one in sorted(word.rejected.items())
    ]
    return digest([sorted(map(said, word.verified.items())), rejected])


def _export_batch(paths: DataPaths, lang: str, max_rows: int) -> Queue:
    if not shard_paths(paths.refined(lang)):
        return _NO_ROWS
    rows = (row for one in _all_flagged(paths.refined(lang)) for row in flagged_rows(one))
    return export_review(paths.review(lang), BATCH, rows, max_rows)


def _all_flagged(folder: Path) -> Iterator[RefinedSample]:
    """Samples with a turn that asks for a person; shards without any are not read."""
    for path in shard_paths(folder):
        record = read_record(path)
        if record is None or record.counts.get("flagged", 1):
            yield from (one for one in read_refined(path) if flagged(one.verdict))


def _export_seed(
    paths: DataPaths,
    lang: str,
    judge: _Judge,
    memory: VerifiedMemory,
    rejected: dict[str, Rejection],
) -> Queue:
    rows = []
    for path in shard_paths(paths.seed_dir / lang):
        samples = read_translated(path)
        word = _human_word(samples, memory, rejected)
        for one in refine_samples(samples, judge.filters, judge.settings, word):
            rows += all_rows(one)
    max_rows = judge.settings.max_review_rows
    return export_review(paths.review(lang), SEED, rows, max_rows, one_file=False)


def _counts(refined: Sequence[RefinedSample]) -> dict[str, int]:
    counts = Counter(samples=len(refined), kept=0, flagged=0, turns=0, reviewed=0)
    for one in refined:
        counts["kept"] += one.kept
        counts["flagged"] += flagged(one.verdict)
        counts["turns"] += len(one.sample.source)
        counts["reviewed"] += sum(m.status is TurnStatus.VERIFIED for m in one.sample.meta)
        for verdict, findings in zip(one.turn_verdicts, one.findings, strict=True):
            counts[_VERDICT + verdict] += 1
            if flagged(verdict):
                reasons = {found.filter for found in findings if found.verdict is not Verdict.PASS}
                counts.update(_REASON + name for name in reasons)
    return dict(counts)


def _manifest(lang: str, folder: Path) -> dict[str, Any]:
    """Sums of the shards' records. `by_reason` counts flagged turns by the filters that spoke."""
    total: Counter[str] = Counter()
    for path in shard_paths(folder):
        if record := read_record(path):
            total.update(record.counts)
    names = ("samples", "turns", "kept", "flagged", "reviewed")
    return {
        "lang": lang,
        **{name: total[name] for name in names},
        "by_verdict": {str(one): total[_VERDICT + one] for one in Verdict},
        "by_reason": {
            key.removeprefix(_REASON): count
            for key, count in sorted(total.items())
            if key.startswith(_REASON)
        },
    }
