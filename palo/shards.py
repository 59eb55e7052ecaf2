"""The one module that reads and writes Parquet shards, their records, and JSON beside them.

A shard is written to a temporary name, flushed to the disk and renamed, so a reader sees all of
it or none. Beside `part-00000.parquet` lies `part-00000.json`: what it was made from (`inputs`),
what is in it (`counts`), and its own digest.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import TypeAdapter

from palo.errors import UserError
from palo.files import digest, file_digest, read_json, replaced, write_json
from palo.schemas import REFINED, TRANSLATED, RefinedSample, Sample, TranslatedSample
from palo.settings import RefineSettings

Row = dict[str, Any]

_BATCH_ROWS = 4096
_SAMPLE, _TRANSLATED = TypeAdapter(Sample), TypeAdapter(TranslatedSample)
_REFINED = TypeAdapter(RefinedSample)
_JUDGED = REFINED.names[len(TRANSLATED) :]


@dataclass(frozen=True)
class ShardRecord:
    inputs: dict[str, str]
    counts: dict[str, int]
    digest: str


def shard_name(index: int) -> str:
    return f"part-{index:05d}.parquet"


def shard_paths(folder: Path) -> list[Path]:
    return sorted(folder.glob("part-*.parquet"))


def write_shard(
    path: Path,
    rows: Sequence[Row],
    schema: pa.Schema,
    inputs: Mapping[str, str],
    counts: Mapping[str, int],
) -> None:
    """Writes the shard, then its record; a crash between the two leaves a shard to be redone."""
    table = pa.Table.from_pylist(list(rows), schema=schema)
    with replaced(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")
    record = ShardRecord(dict(inputs), dict(counts), file_digest(path))
    write_json(path.with_suffix(".json"), asdict(record))


def read_record(path: Path) -> ShardRecord | None:
    """The record beside a shard, or None where there is none that can be read."""
    try:
        return ShardRecord(**read_json(path.with_suffix(".json")))
    except (OSError, ValueError, TypeError):
        return None


def is_current(path: Path, inputs: Mapping[str, str]) -> bool:
    """Whether the shard stands as it was written, from these very inputs."""
    record = read_record(path)
    if record is None or record.inputs != dict(inputs) or not path.is_file():
        return False
    return file_digest(path) == record.digest


def manifest(folder: Path) -> dict[str, Any]:
    """The manifest.json of a folder of shards, or an empty one where the stage has not run."""
    return read_json(folder / "manifest.json", {})


def counted(folder: Path, what: str = "samples") -> int:
    """How many samples or turns a folder's shards hold, by their records."""
    records = map(read_record, shard_paths(folder))
    return sum(record.counts.get(what, 0) for record in records if record)


def records_digest(folder: Path) -> str:
    """What a folder's shards hold, by their records alone; "" where there is none."""
    known = {
        path.name: record.digest for path in shard_paths(folder) if (record := read_record(path))
    }
    return digest(known) if known else ""


def write_rows(path: Path, batches: Iterable[Sequence[Row]], schema: pa.Schema) -> None:
    """A Parquet file for others, without a record, a batch of rows in memory at a time."""
    with (
        replaced(path) as temporary,
        pq.ParquetWriter(temporary, schema, compression="zstd") as file,
    ):
        for rows in batches:
            file.write_table(pa.Table.from_pylist(list(rows), schema=schema))


def remove_shards(folder: Path, keep: Sequence[Path]) -> None:
    """Removes shards (and records) that are no longer part of the run, and what a killed writer
    left behind; only the holder of the folder's run lock may call it."""
    for path in folder.glob(".part-*.tmp"):
        path.unlink(missing_ok=True)
    for path in shard_paths(folder):
        if path not in keep:
            path.unlink()
            path.with_suffix(".json").unlink(missing_ok=True)


def read_shard(path: Path, columns: list[str] | None = None) -> list[Row]:
    """All rows of a shard (of these columns). Raises UserError for a file that is no Parquet."""
    try:
        return pq.read_table(path, columns=columns).to_pylist()
    except (pa.ArrowInvalid, OSError) as error:
        raise UserError(
            f"Cannot read shard {path}: {error}. Remove it and run the stage again."
        ) from None


def read_columns(path: Path, names: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    """Rows of these columns, in batches. Raises UserError for no Parquet, or a missing column."""
    try:
        with pq.ParquetFile(path) as file:
            missing = [name for name in names if name not in file.schema_arrow.names]
            if missing:
                raise UserError(
                    f"{path} has no column {' and no '.join(missing)}. "
                    f"Its columns: {', '.join(file.schema_arrow.names)}."
                )
            for batch in file.iter_batches(_BATCH_ROWS, columns=list(names)):
                yield from zip(*(batch.column(name).to_pylist() for name in names), strict=True)
    except FileNotFoundError:
        raise UserError(f"No such file: {path}.") from None
    except (pa.ArrowInvalid, OSError) as error:
        raise UserError(f"Cannot read {path}: {error}.") from None


def training_conversations(
    folder: Path, policy: RefineSettings, columns: Sequence[str]
) -> Iterator[tuple[int, int, list[Any]]]:
    """Of every refined conversation in `folder`: how many of its leading turns training uses (0:
    none of it), how many it has, and these columns, a batch in memory at a time."""
    for path in shard_paths(folder):
        for *row, verdicts, kept in read_columns(path, (*columns, "turn_verdicts", "kept")):
            # a shard may have been refined under another policy
            yield policy.kept_turns(verdicts) if kept else 0, len(verdicts), row


def read_samples(path: Path) -> list[Sample]:
    return list(map(_SAMPLE.validate_python, read_shard(path)))


def read_translated(path: Path) -> list[TranslatedSample]:
    return list(map(_TRANSLATED.validate_python, read_shard(path)))


def read_refined(path: Path) -> list[RefinedSample]:
    return [
        _REFINED.validate_python({"sample": row, **{name: row.pop(name) for name in _JUDGED}})
        for row in read_shard(path)
    ]


def to_row(sample: Sample | TranslatedSample | RefinedSample) -> Row:
    """As asdict gives it, at a tenth of its time; a refined row has its sample's fields in it."""
    row = dict(vars(sample))
    if isinstance(sample, RefinedSample):
        row = {**vars(row.pop("sample")), **row}
    return {k: _plain(value) if isinstance(value, tuple) else value for k, value in row.items()}


def _plain(values: tuple[Any, ...]) -> list[Any]:
    if values and isinstance(values[0], str):
        return list(values)
    return [_plain(part) if isinstance(part, tuple) else dict(vars(part)) for part in values]
