"""The signature table of a language: which targets stand for different sources, over all shards.

Beside each refined shard lie the signatures of its turns (`signatures/part-*.parquet`), a pure
function of the translated shard. Of all of them the table keeps the signatures that different
sources share. A shard depends on the rows of the table that its own turns meet, on no others, so
a new shard leaves the old ones as they are unless they share a target.
"""

import hashlib
import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import regex

from palo.files import digest, file_digest
from palo.languages import info
from palo.schemas import TurnStatus
from palo.shards import is_current, read_columns, read_translated, remove_shards, write_shard
from palo.workers import in_order
from refine.filters import OtherPair

SIGNATURES = "signatures"  # the folder beside the refined shards
_VERSION = "1"
_SCHEMA = pa.schema(
    [
        ("key", pa.uint64()),
        ("source_key", pa.uint64()),
        ("sample_id", pa.string()),
        ("turn", pa.int32()),
        ("source", pa.string()),
        ("target", pa.string()),
    ]
)
_TABLE_SCHEMA = pa.schema([("key", pa.uint64()), ("source", pa.string()), ("target", pa.string())])
# Below these, letters and digits, equal texts are no wonder ("Two.", "Yes, it is.").
_MIN_CHARS, _MIN_CHARS_UNSPACED = 20, 10
_MIN_NEAR_CHARS = 40
_GRAM = 4
# Two bands of four minima: texts that share 90% of their 4-grams meet in 88 of 100 cases, texts
# that share half in 12 (Leskovec et al., Mining of Massive Datasets, 3.4); the filter looks again.
_BANDS, _ROWS = 2, 4
_KEPT_CHARS = 200  # of a text, to compare and to quote
_KEPT_OTHERS = 8  # sources a signature, so that one collapsed target stays one small row
_NOISE = regex.compile(r"[^\p{L}\p{M}\p{N}]+")
_MIX = np.random.default_rng(7).integers(1, 2**63, size=_BANDS * _ROWS, dtype=np.uint64) | 1

TurnKey = tuple[str, int]
# Signatures that turns of different sources share, each with some of those turns.
SignatureTable = dict[int, tuple[OtherPair, ...]]


def build_table(sources: Sequence[Path], folder: Path, lang: str, processes: int = 1) -> Path:
    """Brings signatures and the table made of them up to date; returns the table's path."""
    paths = [folder / source.name for source in sources]
    for _ in in_order(
        partial(_sign, folder, lang), sources, processes, "judged translations", "refine.processes"
    ):
        pass
    remove_shards(folder, paths)
    table_path = folder / "table.parquet"
    inputs = {"parts": digest([file_digest(path) for path in paths]), "signatures": _VERSION}
    if not is_current(table_path, inputs):
        others = _others(paths) if paths else {}
        rows = [
            {"key": key, **vars(known[own])}
            for key, known in sorted(others.items())
            for own in sorted(known)
        ]
        write_shard(table_path, rows, _TABLE_SCHEMA, inputs, {"signatures": len(others)})
    return table_path


def _others(paths: Sequence[Path]) -> dict[int, dict[int, OtherPair]]:
    """Of each key that stands with several sources, turns of the lowest source keys, by these. So
    the order of shards is free; 16 bytes a signature are held at a time, and few texts."""
    import pyarrow.dataset  # brings in pandas, which processes that judge have no use for

    parts = pyarrow.dataset.dataset(paths, schema=_SCHEMA)
    sources = parts.to_table(["key", "source_key"]).group_by("key")
    counts = sources.aggregate([("source_key", "count_distinct")])
    shared = counts.filter(pc.field("source_key_count_distinct") > 1)["key"].combine_chunks()
    others: dict[int, dict[int, OtherPair]] = defaultdict(dict)
    columns = ["key", "source_key", "source", "target"]
    for batch in parts.to_batches(columns, filter=pc.field("key").isin(shared)):
        for key, own, *texts in zip(*(column.to_pylist() for column in batch), strict=True):
            known, pair = others[key], OtherPair(*texts)
            known[own] = min(pair, known.get(own, pair))
            if len(known) > _KEPT_OTHERS:
                del known[max(known)]
    return others


@lru_cache(maxsize=1)
def load_table(path: Path, digest: str) -> SignatureTable:
    """The table of that digest, read once a process."""
    others: SignatureTable = defaultdict(tuple)
    for key, source, target in read_columns(path, ("key", "source", "target")):
        others[key] += (OtherPair(source, target),)
    return dict(others)


def met_in_shard(
    table: SignatureTable, signatures_path: Path
) -> dict[TurnKey, tuple[OtherPair, ...]]:
    """Turns of this shard that meet another source's target, with whom they meet."""
    met: dict[TurnKey, dict[OtherPair, None]] = defaultdict(dict)
    if not table:
        return {}
    for key, sample_id, turn in read_columns(signatures_path, ("key", "sample_id", "turn")):
        if key in table:
            met[(sample_id, turn)] |= dict.fromkeys(table[key])
    return {turn: tuple(known) for turn, known in met.items()}


def _sign(folder: Path, lang: str, source_path: Path) -> None:
    path = folder / source_path.name
    inputs = {"translated": file_digest(source_path), "signatures": _VERSION}
    if is_current(path, inputs):
        return
    rows: list[dict[str, object]] = [
        {
            "key": key,
            "source_key": _hash(normalised(source.text).encode("utf-8")),
            "sample_id": sample.sample_id,
            "turn": turn,
            "source": source.text[:_KEPT_CHARS],
            "target": target.text[:_KEPT_CHARS],
        }
        for sample in read_translated(source_path)
        for turn, (source, target, meta) in enumerate(
            zip(sample.source, sample.target, sample.meta, strict=False)
        )
        if meta.status is not TurnStatus.COPIED
        for key in signatures(target.text, lang)
    ]
    write_shard(path, rows, _SCHEMA, inputs, {"signatures": len(rows)})


def normalised(text: str) -> str:
    """Letters, their marks and digits: what makes two texts the same to a reader."""
    return _NOISE.sub("", unicodedata.normalize("NFKC", text).casefold())


def signatures(text: str, lang: str) -> list[int]:
    """64-bit keys of a text: of the whole, and of the bands of its 4-grams' minima."""
    bare = normalised(text)
    unspaced = not info(lang).spaced
    if len(bare) < (_MIN_CHARS_UNSPACED if unspaced else _MIN_CHARS):
        return []
    keys = [_hash(b"whole" + bare.encode("utf-8"))]
    if len(bare) >= (_MIN_NEAR_CHARS // 2 if unspaced else _MIN_NEAR_CHARS):
        codes = np.frombuffer(bare.encode("utf-32-le"), dtype=np.uint32).astype(np.uint64)
        grams = np.zeros(len(codes) - _GRAM + 1, dtype=np.uint64)
        for place in range(_GRAM):
            grams = (grams << np.uint64(16)) ^ (grams >> np.uint64(48))
            grams ^= codes[place : place + len(grams)] * np.uint64(0x9E3779B97F4A7C15)
        mixed = grams[:, None] * _MIX
        least = (mixed ^ (mixed >> np.uint64(29))).min(axis=0)
        for band in range(_BANDS):
            part = least[band * _ROWS : (band + 1) * _ROWS]
            keys.append(_hash(bytes([band]) + part.tobytes()))
    return keys


def _hash(data: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "little")
