"""Picks the samples that people review first: spread over kinds and lengths, by a fixed seed.

palo translator seed --lang all --num 60
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from palo.files import digest, file_digest
from palo.schemas import SOURCE, Sample
from palo.shards import (
    is_current,
    read_samples,
    remove_shards,
    sample_to_row,
    shard_name,
    shard_paths,
    write_shard,
)

# Characters of a conversation: short exchanges, descriptions, long reasoning.
_LENGTHS = (200, 600, 1500)


def pick(samples: Sequence[Sample], num_samples: int, seed: int) -> list[Sample]:
    """A stratified choice that depends on the samples' ids, not on their order.

    Strata (image or not, number of turns, length) are drawn from in turn, the largest share of
    picks going to the largest strata; within one the order is that of seeded digests.
    """
    strata: dict[tuple[bool, int, int], list[Sample]] = defaultdict(list)
    for sample in samples:
        strata[_stratum(sample)].append(sample)
    ranked: list[tuple[float, str, Sample]] = []
    for members in strata.values():
        members.sort(key=lambda sample: _order(sample, seed))
        for place, sample in enumerate(members):
            ranked.append(((place + 0.5) / len(members), _order(sample, seed), sample))
    ranked.sort(key=lambda row: row[:2])
    chosen = [sample for _, _, sample in ranked[:num_samples]]
    return sorted(chosen, key=lambda sample: sample.sample_id)


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
    chosen = pick(list(_read(sources)), num_samples, seed)
    counts = {"samples": len(chosen), "turns": sum(len(sample.turns) for sample in chosen)}
    write_shard(target, [sample_to_row(one) for one in chosen], SOURCE, inputs, counts)
    remove_shards(seed_source_dir, [target])
    return len(chosen)


def _read(sources: Sequence[Path]) -> Iterator[Sample]:
    for path in sources:
        yield from read_samples(path)


def _stratum(sample: Sample) -> tuple[bool, int, int]:
    length = sum(len(turn.text) for turn in sample.turns)
    bucket = sum(length > limit for limit in _LENGTHS)
    return (sample.image is not None, len(sample.turns), bucket)


def _order(sample: Sample, seed: int) -> str:
    return hashlib.blake2b(f"{seed} {sample.sample_id}".encode(), digest_size=8).hexdigest()
