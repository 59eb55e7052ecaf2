"""The signature table of a language: which targets stand for different sources, over all shards.

Beside each refined shard lie the signatures of its turns (`signatures/part-*.parquet`), a pure
function of the translated shard. Of all of them the table keeps the signatures that different
sources share. A shard depends on the rows of the table that its own turns meet, on no others, so
a new shard leaves the old ones as they are unless they share a target.
"""

import hashlib
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import regex

from palo.files import digest, file_digest
from palo.languages import info
from palo.schemas import TranslatedSample, TurnStatus
from palo.shards import (
    is_current,
    read_column,
    read_columns,
    read_translated,
    remove_shards,
    write_shard,
)
from palo.workers import in_order
from refine.filters.copies import OtherPair

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
    """Brings the signatures of all translated shards up to date, and the table made of them.

    Returns the table's path; its digest is in its record.
    """
    paths = [folder / source.name for source in sources]
    for _ in in_order(
        partial(_sign, folder, lang), sources, processes, "judged translations", "refine.processes"
    ):
        pass
    remove_shards(folder, paths)
    table_path = folder / "table.parquet"
    inputs = {"parts": digest([file_digest(path) for path in paths]), "signatures": _VERSION}
    if not is_current(table_path, inputs):
        shared = _shared_keys(paths)
        others = _others(paths, shared) if len(shared) else {}
        rows = [
            {"key": key, "source": other.source, "target": other.target}
            for key, known in sorted(others.items())
            for other in known
        ]
        write_shard(table_path, rows, _TABLE_SCHEMA, inputs, {"signatures": len(others)})
    return table_path


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
    met: dict[TurnKey, list[OtherPair]] = defaultdict(list)
    if not table:
        return {}
    for key, sample_id, turn in read_columns(signatures_path, ("key", "sample_id", "turn")):
        if key in table:
            known = met[(sample_id, turn)]
            known += [other for other in table[key] if other not in known]
    return {turn: tuple(known) for turn, known in met.items()}


def _sign(folder: Path, lang: str, source: Path) -> None:
    path = folder / source.name
    inputs = {"translated": file_digest(source), "signatures": _VERSION}
    if not is_current(path, inputs):
        rows = _signature_rows(read_translated(source), lang)
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


def _signature_rows(samples: Iterable[TranslatedSample], lang: str) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for sample in samples:
        turns = zip(sample.source, sample.target, sample.meta, strict=False)
        for turn, (source, target, meta) in enumerate(turns):
            if meta.status is TurnStatus.COPIED:
                continue
            own = _hash(normalised(source.text).encode("utf-8"))
            rows += [
                {
                    "key": key,
                    "source_key": own,
                    "sample_id": sample.sample_id,
                    "turn": turn,
                    "source": source.text[:_KEPT_CHARS],
                    "target": target.text[:_KEPT_CHARS],
                }
                for key in signatures(target.text, lang)
            ]
    return rows


def _shared_keys(paths: Sequence[Path]) -> "np.ndarray[tuple[int], np.dtype[np.uint64]]":
    """Keys that stand with more than one source; 16 bytes a signature are held at a time."""
    columns = [
        np.array(list(read_column(path, name)), dtype=np.uint64)
        for name in ("key", "source_key")
        for path in paths
    ]
    if not columns:
        return np.empty(0, dtype=np.uint64)
    keys, sources = np.concatenate(columns[: len(paths)]), np.concatenate(columns[len(paths) :])
    distinct = np.unique(np.stack([keys, sources], axis=1), axis=0)
    values, counts = np.unique(distinct[:, 0], return_counts=True)
    return values[counts > 1]


def _others(
    paths: Sequence[Path], shared: "np.ndarray[tuple[int], np.dtype[np.uint64]]"
) -> dict[int, tuple[OtherPair, ...]]:
    """Some turns of each shared key: those of the lowest source keys, so shards' order is free."""
    wanted = {int(key) for key in shared}
    others: dict[int, dict[int, OtherPair]] = defaultdict(dict)
    for path in paths:
        for key, own, source, target in read_columns(
            path, ("key", "source_key", "source", "target")
        ):
            if key not in wanted:
                continue
            known, pair = others[key], OtherPair(source, target)
            known[own] = min(pair, known.get(own, pair))
            if len(known) > _KEPT_OTHERS:
                del known[max(known)]
    return {key: tuple(known[own] for own in sorted(known)) for key, known in others.items()}


def _hash(data: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "little")
