"""The training mixture: refined shards of all languages and the English set, as one Arrow cache.

Parquet has no cheap random access, so the kept rows are written once to an Arrow file that is
memory-mapped. The cache may be deleted at any time; it is named after what it was made from.
"""

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from palo.errors import MissingResource, UserError
from palo.json_stream import BrokenTail, stream_list
from palo.languages import ENGLISH, TARGETS
from palo.paths import DataPaths
from palo.schemas import Role, Turn
from palo.settings.refine import RefineSettings
from palo.shards import digest, read_record, read_refined, read_samples, replaced, shard_paths

CACHE_VERSION = "1"
CACHE_ROWS = 1000  # rows of one record batch
# Batches of like length are cut out of so many batches' worth of shuffled samples.
GROUP_BATCHES = 50

_TURN = pa.struct([("role", pa.string()), ("text", pa.string())])
SCHEMA = pa.schema(
    [
        ("sample_id", pa.string()),
        ("lang", pa.string()),
        ("image", pa.string()),
        ("turns", pa.list_(_TURN)),
    ]
)


@dataclass(frozen=True)
class Example:
    """One conversation to train on; `image` is None for text alone."""

    sample_id: str
    lang: str
    image: Path | None
    turns: tuple[Turn, ...]


class Mixture:
    """Random access over the Arrow cache; `counts` is conversations a language."""

    def __init__(self, cache_path: Path) -> None:
        self._map = pa.memory_map(str(cache_path))
        self._table = pa.ipc.open_file(self._map).read_all()
        self.counts: dict[str, int] = dict(Counter(self._table.column("lang").to_pylist()))

    def __len__(self) -> int:
        return self._table.num_rows

    def __getitem__(self, index: int) -> Example:
        row = self._table.slice(index, 1).to_pylist()[0]
        turns = tuple(Turn(Role(turn["role"]), turn["text"]) for turn in row["turns"])
        image = Path(row["image"]) if row["image"] else None
        return Example(row["sample_id"], row["lang"], image, turns)


@dataclass(frozen=True)
class English:
    """Where the English half comes from: SOURCE shards, or a larger LLaVA list instead."""

    mix_path: Path | None
    mix_images_dir: Path | None


def open_mixture(
    paths: DataPaths, images_dir: Path | None, english: English, policy: RefineSettings
) -> Mixture:
    """Builds the cache where it is missing or out of date. Raises MissingResource."""
    inputs = mixture_inputs(paths, images_dir, english, policy)
    folder = paths.root / "mixture"
    cache = folder / f"{digest(inputs)}.arrow"
    if not cache.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        with replaced(cache) as temporary:
            _write(temporary, _examples(paths, images_dir, english, policy))
        for other in folder.glob("*.arrow"):
            if other != cache:
                other.unlink()
    mixture = Mixture(cache)
    if not len(mixture):
        raise MissingResource(f"No conversation was kept in {paths.root / 'refined'}.")
    return mixture


def mixture_inputs(
    paths: DataPaths, images_dir: Path | None, english: English, policy: RefineSettings
) -> dict[str, Any]:
    """What the cache depends on: the digests in the shards' records, never file times."""
    shards = {}
    folders = [paths.refined(lang) for lang in TARGETS]
    if english.mix_path is None:
        folders.append(paths.source_dir)
    for folder in folders:
        for path in shard_paths(folder):
            record = read_record(path)
            shards[str(path.relative_to(paths.root))] = record.digest if record else "unfinished"
    mix = english.mix_path
    size = mix.stat().st_size if mix and mix.is_file() else None
    return {
        "version": CACHE_VERSION,
        "shards": shards,
        "images": str(images_dir),
        "policy": policy.model_dump(mode="json", include={"policy", "keep_review"}),
        "mix": [str(mix), size, str(english.mix_images_dir)],
    }


def _examples(
    paths: DataPaths, images_dir: Path | None, english: English, policy: RefineSettings
) -> Iterator[dict[str, Any]]:
    if english.mix_path is None:
        for path in shard_paths(paths.source_dir):
            for sample in read_samples(path):
                yield _row(sample.sample_id, ENGLISH, sample.image, images_dir, sample.turns)
    else:
        yield from read_llava_list(english.mix_path, english.mix_images_dir)
    for lang in TARGETS:
        for path in shard_paths(paths.refined(lang)):
            for refined in read_refined(path):
                if refined.kept:
                    one = refined.sample
                    turns = one.target[: policy.kept_turns(refined.turn_verdicts)]
                    yield _row(one.sample_id, lang, one.image, images_dir, turns)


def read_llava_list(path: Path, images_dir: Path | None) -> Iterator[dict[str, Any]]:
    """Rows of a LLaVA list (a JSON list of id, image, conversations), streamed.

    Raises UserError for a file that breaks off or a sample of another form.
    """
    number = 0
    try:
        for item in stream_list(path):
            number += 1
            turns = tuple(Turn(Role(turn["from"]), turn["value"]) for turn in item["conversations"])
            yield _row(str(item["id"]), ENGLISH, item.get("image"), images_dir, turns)
    except BrokenTail as error:
        raise UserError(f"{path} breaks off after sample {number}: {error}.") from None
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"Sample {number} of {path} has no LLaVA form: {error!r}.") from None


def _row(
    sample_id: str, lang: str, image: str | None, images_dir: Path | None, turns: Sequence[Turn]
) -> dict[str, Any]:
    return {
        "sample_id": sample_id,
        "lang": str(lang),
        "image": str(images_dir / image if images_dir else image) if image else None,
        "turns": [{"role": turn.role, "text": turn.text} for turn in turns],
    }


def _write(path: Path, rows: Iterator[dict[str, Any]]) -> None:
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, SCHEMA) as writer:
        pending: list[dict[str, Any]] = []
        for row in rows:
            pending.append(row)
            if len(pending) == CACHE_ROWS:
                writer.write_batch(pa.RecordBatch.from_pylist(pending, schema=SCHEMA))
                pending = []
        if pending:
            writer.write_batch(pa.RecordBatch.from_pylist(pending, schema=SCHEMA))


def epoch_order(lengths: Sequence[int], batch_size: int, seed: int, epoch: int) -> list[int]:
    """Every sample once, cut so that each run of `batch_size` has samples of like length.

    A pure function of its arguments: a resumed run sees what an undisturbed one would have seen.
    """
    rng = random.Random(f"{seed}/{epoch}")
    order = list(range(len(lengths)))
    rng.shuffle(order)
    group = batch_size * GROUP_BATCHES
    batches, rest = [], []
    for start in range(0, len(order), group):
        alike = sorted(order[start : start + group], key=lambda index: lengths[index])
        whole = len(alike) // batch_size * batch_size
        batches += [alike[at : at + batch_size] for at in range(0, whole, batch_size)]
        rest += alike[whole:]
    rng.shuffle(batches)
    return [index for batch in batches for index in batch] + rest
