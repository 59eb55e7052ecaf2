"""Streams a LLaVA-Instruct JSON file into SOURCE shards; malformed samples are set aside.

    report = ingest(settings.source, paths.source_dir)

Beside the shards: `manifest.json` (what was read) and `set-aside.jsonl` (index, id, reason).
`write_seed` picks of them the samples that people review first.
"""

import hashlib
import json
import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from palo import shards
from palo.errors import UserError
from palo.files import digest, file_digest, replaced, uptodate, write_json
from palo.llava import MAX_ITEM_CHARS, BrokenTail, Oversized, stream_list
from palo.schemas import IMAGE_TAG, SOURCE, Role, Sample, Turn
from palo.settings import SourceSettings

_RULES = "1"  # raise when the same file would give other shards
_MAX_SHOWN = 10_000  # characters of a malformed item that set-aside.jsonl repeats
_SET_ASIDE = "set-aside.jsonl"
_MANIFEST = "manifest.json"
_SURROGATE = re.compile("[\ud800-\udfff]")
# Characters of a conversation: short exchanges, descriptions, long reasoning.
_LENGTHS = (200, 600, 1500)


@dataclass
class IngestReport:
    """`broken` is "" or why the file could not be read to its end."""

    samples: int = 0
    turns: int = 0
    set_aside: int = 0
    shards: int = 0
    broken: str = ""
    skipped: bool = False


def ingest(settings: SourceSettings, source_dir: Path) -> IngestReport:
    """Brings the SOURCE shards up to date with the file; does nothing where they are. Raises
    UserError for a file that is missing, no JSON, or holds no usable sample."""
    if not settings.path.is_file():
        next(stream_list(settings.path), None)  # says what is wrong
    inputs = {
        "file": file_digest(settings.path),
        "settings": digest([_RULES, settings.shard_rows, settings.max_turn_chars]),
        "origin": settings.path.name,
    }
    if manifest := uptodate(source_dir / _MANIFEST, inputs):
        report = IngestReport(**{**manifest["report"], "skipped": True})
        paths = shards.shard_paths(source_dir)
        if len(paths) == report.shards and all(shards.is_current(path, inputs) for path in paths):
            return report
    (source_dir / _MANIFEST).unlink(missing_ok=True)
    remove_leftovers(source_dir)
    report, seen, paths = IngestReport(), SeenIds(), []
    with replaced(source_dir / _SET_ASIDE) as path, path.open("w", encoding="utf-8") as aside:
        samples = _samples(settings, aside, report)
        while (rows := list(islice(samples, settings.shard_rows))) or not paths:
            # exact duplicates get a counter; being equal, any of them may have any number
            times_seen = seen.add([sample.sample_id for sample in rows])
            numbered = [
                replace(sample, sample_id=f"{sample.sample_id}-{times + 1}") if times else sample
                for sample, times in zip(rows, times_seen, strict=True)
            ]
            paths.append(source_dir / shards.shard_name(len(paths)))
            _write_source(paths[-1], numbered, inputs)
            report.samples += len(rows)
            report.turns += sum(len(sample.turns) for sample in rows)
    report.shards = len(paths)
    shards.remove_shards(source_dir, paths)
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


def _samples(settings: SourceSettings, aside: TextIO, report: IngestReport) -> Iterator[Sample]:
    """The well-formed ones; the others go to `aside`, with a line for a tail that is broken."""
    index = -1
    try:
        for index, item in enumerate(stream_list(settings.path)):
            try:
                yield parse_sample(item, settings.path.name, settings.max_turn_chars)
            except Malformed as error:
                report.set_aside += 1
                aside.write(_aside_line(index, item, str(error)))
    except BrokenTail as error:
        report.broken = f"{error} (after {index + 1} items)"
        line = {"index": index + 1, "id": None, "reason": f"broken: {error}"}
        aside.write(json.dumps(line) + "\n")


def _write_source(path: Path, samples: Sequence[Sample], inputs: dict[str, str]) -> None:
    counts = {"samples": len(samples), "turns": sum(len(sample.turns) for sample in samples)}
    shards.write_shard(path, [shards.to_row(sample) for sample in samples], SOURCE, inputs, counts)


class Malformed(ValueError):
    """Why an item is set aside; the message is the reason."""


def parse_sample(item: Any, origin: str, max_turn_chars: int) -> Sample:
    """The sample of one list item; its `sample_id` has no counter yet. Raises Malformed."""
    if isinstance(item, Oversized):
        raise Malformed(
            f"the item has {item.num_chars} characters of JSON, over {MAX_ITEM_CHARS}: "
            "no turn of it is read"
        )
    if not isinstance(item, dict):
        raise Malformed(f"an item must be an object, not {type(item).__name__}")
    source_id = item.get("id", "")
    if isinstance(source_id, bool) or not isinstance(source_id, str | int):
        raise Malformed("id must be text or a whole number")
    source_id = _clean(str(source_id), "id")
    image = item.get("image")
    if image is not None:
        if not isinstance(image, str) or not image:
            raise Malformed("image must be a path")
        image = _clean(image, "image")
    conversation = item.get("conversations")
    if not isinstance(conversation, list):
        raise Malformed("conversations is missing or no list")
    if not conversation:
        raise Malformed("conversations is empty")
    turns = tuple(
        _turn(value, number, max_turn_chars) for number, value in enumerate(conversation, start=1)
    )
    if len(turns) % 2:
        raise Malformed("the last question has no answer")
    if image is None and any(IMAGE_TAG in turn.text for turn in turns):
        raise Malformed(f"a turn has {IMAGE_TAG} but the sample has no image")
    # 8 hex digits that depend on what is said, never on where in the file it stands
    content = json.dumps([image, [[turn.role, turn.text] for turn in turns]], ensure_ascii=False)
    mark = hashlib.blake2b(content.encode("utf-8"), digest_size=4).hexdigest()
    return Sample(f"{source_id or 'sample'}-{mark}", source_id, image, turns, origin)


def _turn(value: Any, number: int, max_turn_chars: int) -> Turn:
    if not isinstance(value, dict):
        raise Malformed(f"turn {number} must be an object")
    wanted = Role.HUMAN if number % 2 else Role.GPT
    if value.get("from") != wanted:
        raise Malformed(f"turn {number} is from {value.get('from')!r}, not {wanted.value!r}")
    text = value.get("value")
    if not isinstance(text, str):
        raise Malformed(f"turn {number} has no text")
    if not text.strip():
        raise Malformed(f"turn {number} is empty")
    if len(text) > max_turn_chars:
        raise Malformed(
            f"turn {number} has {len(text)} characters, over max_turn_chars {max_turn_chars}"
        )
    return Turn(wanted, _clean(text, f"turn {number}"))


def _clean(text: str, where: str) -> str:
    """Text that Arrow, SQLite and every tokenizer take as it is."""
    if "\0" in text:
        raise Malformed(f"{where} holds a NUL character")
    if _SURROGATE.search(text):
        raise Malformed(f"{where} holds a lone surrogate or invalid UTF-8")
    return text


def _aside_line(index: int, item: Any, reason: str) -> str:
    """ASCII JSON, so that even a lone surrogate is kept as it came."""
    if isinstance(item, Oversized):
        source_id, shown = item.member("id"), item.head
    else:
        source_id, text = item.get("id") if isinstance(item, dict) else None, json.dumps(item)
        shown = item if len(text) <= _MAX_SHOWN else text[:_MAX_SHOWN] + "..."
    return json.dumps({"index": index, "id": source_id, "reason": reason, "item": shown}) + "\n"


class SeenIds:
    """A multiset of ids, kept as 64-bit digests in order: millions of them weigh nothing. Of ten
    million ids two share a digest with a chance of 3 in a million."""

    def __init__(self) -> None:
        self._digests = np.empty(0, dtype=np.uint64)

    def add(self, ids: Sequence[str]) -> list[int]:
        """Takes in the ids of a shard; how often each was seen before, earlier ones of it too."""
        data = b"".join(hashlib.blake2b(key.encode(), digest_size=8).digest() for key in ids)
        new = np.frombuffer(data, dtype=np.uint64)
        first, end = (np.searchsorted(self._digests, new, side) for side in ("left", "right"))
        order = np.argsort(new, kind="stable")
        ordered, times = new[order], end - first
        times[order] += np.arange(len(new)) - np.searchsorted(ordered, ordered)
        places = np.searchsorted(self._digests, ordered)
        self._digests = np.insert(self._digests, places, ordered)
        return list(map(int, times))


def write_seed(source_dir: Path, seed_source_dir: Path, num_samples: int, seed: int) -> int:
    """Writes the picked samples as one SOURCE shard; returns how many there are."""
    sources = shards.shard_paths(source_dir)
    inputs = {
        "source": digest([file_digest(path) for path in sources]),
        "settings": digest([num_samples, seed, _LENGTHS]),
    }
    target = seed_source_dir / shards.shard_name(0)
    if shards.is_current(target, inputs):
        return len(shards.read_samples(target))
    samples = [sample for path in sources for sample in shards.read_samples(path)]
    chosen = pick(samples, num_samples, seed)
    _write_source(target, chosen, inputs)
    shards.remove_shards(seed_source_dir, [target])
    return len(chosen)


def pick(samples: Sequence[Sample], num_samples: int, seed: int) -> list[Sample]:
    """A stratified choice that depends on the samples' ids, not on their order. Strata (image or
    not, number of turns, length) are drawn from in turn, the largest share of picks going to the
    largest strata; within one the order is that of seeded digests."""

    def order(sample: Sample) -> str:
        return hashlib.blake2b(f"{seed} {sample.sample_id}".encode(), digest_size=8).hexdigest()

    strata: dict[tuple[bool, int, int], list[Sample]] = defaultdict(list)
    for sample in samples:
        bucket = bisect_left(_LENGTHS, sum(len(turn.text) for turn in sample.turns))
        strata[sample.image is not None, len(sample.turns), bucket].append(sample)
    ranked = [
        ((place + 0.5) / len(members), order(sample), sample)
        for members in strata.values()
        for place, sample in enumerate(sorted(members, key=order))
    ]
    ranked.sort(key=lambda row: row[:2])
    chosen = [sample for *_, sample in ranked[:num_samples]]
    return sorted(chosen, key=lambda sample: sample.sample_id)
