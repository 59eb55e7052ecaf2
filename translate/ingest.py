"""Streams a LLaVA-Instruct JSON file into SOURCE shards; malformed samples are set aside.

    report = ingest(settings.source, paths.source_dir)

Beside the shards: `manifest.json` (what was read) and `set-aside.jsonl` (index, id, reason).
`write_seed` picks of them the samples that people review first.
"""

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from palo.errors import UserError
from palo.files import digest, file_digest, replaced, uptodate, write_json
from palo.llava import BrokenTail, Oversized, stream_list
from palo.schemas import SOURCE, Sample
from palo.settings import SourceSettings
from palo.shards import (
    is_current,
    read_samples,
    remove_shards,
    sample_to_row,
    shard_name,
    shard_paths,
    write_shard,
)
from translate.llava import Malformed, parse_sample

_RULES = "1"  # raise when the same file would give other shards
_MAX_SHOWN = 10_000  # characters of a malformed item that set-aside.jsonl repeats
_SET_ASIDE = "set-aside.jsonl"
_MANIFEST = "manifest.json"
# Characters of a conversation: short exchanges, descriptions, long reasoning.
_LENGTHS = (200, 600, 1500)


@dataclass(frozen=True)
class IngestReport:
    """`broken` is "" or why the file could not be read to its end."""

    samples: int
    turns: int
    set_aside: int
    shards: int
    broken: str
    skipped: bool = False


def ingest(settings: SourceSettings, source_dir: Path) -> IngestReport:
    """Brings the SOURCE shards up to date with the file; does nothing where they are.

    Raises UserError for a file that is missing, no JSON, or holds no usable sample.
    """
    if not settings.path.is_file():
        next(stream_list(settings.path), None)  # says what is wrong
    inputs = {
        "file": file_digest(settings.path),
        "settings": digest([_RULES, settings.shard_rows, settings.max_turn_chars]),
        "origin": settings.path.name,
    }
    if (report := _current(source_dir, inputs)) is not None:
        return report
    (source_dir / _MANIFEST).unlink(missing_ok=True)
    remove_leftovers(source_dir)
    writer = _Writer(settings, source_dir, inputs)
    with replaced(source_dir / _SET_ASIDE) as aside_path:
        report = writer.run(aside_path)
    remove_shards(source_dir, writer.paths)
    if not report.samples:
        raise UserError(
            f"{settings.path} holds no usable sample: {report.set_aside} set aside. "
            f"The reasons are in {source_dir / _SET_ASIDE}."
        )
    write_json(source_dir / _MANIFEST, {"inputs": inputs, "report": asdict(report)})
    return report


def remove_leftovers(folder: Path) -> None:
    """Half-written files of a run that was killed; only the holder of the folder's lock may."""
    for path in folder.glob(".*.tmp"):
        path.unlink()


def _current(source_dir: Path, inputs: dict[str, str]) -> IngestReport | None:
    manifest = uptodate(source_dir / _MANIFEST, inputs)
    if manifest is None:
        return None
    report = IngestReport(**{**manifest["report"], "skipped": True})
    paths = shard_paths(source_dir)
    whole = len(paths) == report.shards and all(is_current(path, inputs) for path in paths)
    return report if whole else None


class _Writer:
    """Holds one shard of samples at a time, and the ids seen."""

    def __init__(self, settings: SourceSettings, folder: Path, inputs: dict[str, str]) -> None:
        self._settings = settings
        self._folder = folder
        self._inputs = inputs
        self._seen = SeenIds()
        self._rows: list[Sample] = []
        self._turns = 0
        self.paths: list[Path] = []

    def run(self, aside_path: Path) -> IngestReport:
        origin = self._settings.path.name
        samples, set_aside, broken = 0, 0, ""
        with aside_path.open("w", encoding="utf-8") as aside:
            try:
                for index, item in enumerate(stream_list(self._settings.path)):
                    try:
                        sample = parse_sample(item, origin, self._settings.max_turn_chars)
                    except Malformed as error:
                        set_aside += 1
                        aside.write(_aside_line(index, item, str(error)))
                        continue
                    samples += 1
                    self._rows.append(sample)
                    if len(self._rows) == self._settings.shard_rows:
                        self._flush()
            except BrokenTail as error:
                broken = f"{error} (after {samples + set_aside} items)"
                line = {"index": samples + set_aside, "id": None, "reason": f"broken: {error}"}
                aside.write(json.dumps(line) + "\n")
        if self._rows or not self.paths:
            self._flush()
        return IngestReport(samples, self._turns, set_aside, len(self.paths), broken)

    def _flush(self) -> None:
        """Exact duplicates get a counter; being equal, any of them may have any number."""
        seen = self._seen.add([sample.sample_id for sample in self._rows])
        numbered = [
            replace(sample, sample_id=f"{sample.sample_id}-{times + 1}") if times else sample
            for sample, times in zip(self._rows, seen, strict=True)
        ]
        path = self._folder / shard_name(len(self.paths))
        self._turns += _write_source(path, numbered, self._inputs)
        self.paths.append(path)
        self._rows = []


def _write_source(path: Path, samples: Sequence[Sample], inputs: dict[str, str]) -> int:
    """Returns the number of turns."""
    turns = sum(len(sample.turns) for sample in samples)
    counts = {"samples": len(samples), "turns": turns}
    write_shard(path, [sample_to_row(sample) for sample in samples], SOURCE, inputs, counts)
    return turns


def _aside_line(index: int, item: Any, reason: str) -> str:
    """ASCII JSON, so that even a lone surrogate is kept as it came."""
    if isinstance(item, Oversized):
        line = {"index": index, "id": item.member("id"), "reason": reason, "item": item.head}
        return json.dumps(line) + "\n"
    source_id = item.get("id") if isinstance(item, dict) else None
    text = json.dumps(item)
    shown = item if len(text) <= _MAX_SHOWN else text[:_MAX_SHOWN] + "..."
    return json.dumps({"index": index, "id": source_id, "reason": reason, "item": shown}) + "\n"


class SeenIds:
    """A multiset of ids, kept as 64-bit digests in order: millions of them weigh nothing.

    Of ten million ids two share a digest with a chance of 3 in a million.
    """

    def __init__(self) -> None:
        self._digests = np.empty(0, dtype=np.uint64)

    def add(self, ids: Sequence[str]) -> list[int]:
        """Takes in the ids of a shard; how often each was seen before, earlier ones of it too."""
        data = b"".join(hashlib.blake2b(key.encode(), digest_size=8).digest() for key in ids)
        new = np.frombuffer(data, dtype=np.uint64)
        first = np.searchsorted(self._digests, new, side="left")
        before = np.searchsorted(self._digests, new, side="right") - first
        ordered = np.sort(new)
        places = np.searchsorted(self._digests, ordered)
        self._digests = np.insert(self._digests, places, ordered)
        here: Counter[int] = Counter()
        times = []
        for mark, earlier in zip(new.tolist(), before.tolist(), strict=True):
            times.append(earlier + here[mark])
            here[mark] += 1
        return times


def write_seed(source_dir: Path, seed_source_dir: Path, num_samples: int, seed: int) -> int:
    """Writes the picked samples as one SOURCE shard; returns how many there are."""
    sources = shard_paths(source_dir)
    inputs = {
        "source": digest([file_digest(path) for path in sources]),
        "settings": digest([num_samples, seed, _LENGTHS]),
    }
    target = seed_source_dir / shard_name(0)
    if is_current(target, inputs):
        return len(read_samples(target))
    samples = [sample for path in sources for sample in read_samples(path)]
    chosen = pick(samples, num_samples, seed)
    _write_source(target, chosen, inputs)
    remove_shards(seed_source_dir, [target])
    return len(chosen)


def pick(samples: Sequence[Sample], num_samples: int, seed: int) -> list[Sample]:
    """A stratified choice that depends on the samples' ids, not on their order.

    Strata (image or not, number of turns, length) are drawn from in turn, the largest share of
    picks going to the largest strata; within one the order is that of seeded digests.
    """

    def order(sample: Sample) -> str:
        return hashlib.blake2b(f"{seed} {sample.sample_id}".encode(), digest_size=8).hexdigest()

    strata: dict[tuple[bool, int, int], list[Sample]] = defaultdict(list)
    for sample in samples:
        length = sum(len(turn.text) for turn in sample.turns)
        bucket = sum(length > limit for limit in _LENGTHS)
        strata[sample.image is not None, len(sample.turns), bucket].append(sample)
    ranked: list[tuple[float, str, Sample]] = []
    for members in strata.values():
        members.sort(key=order)
        for place, sample in enumerate(members):
            ranked.append(((place + 0.5) / len(members), order(sample), sample))
    ranked.sort(key=lambda row: row[:2])
    chosen = [sample for _, _, sample in ranked[:num_samples]]
    return sorted(chosen, key=lambda sample: sample.sample_id)
