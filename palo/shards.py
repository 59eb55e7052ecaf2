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

from palo.errors import UserError
from palo.files import digest, file_digest, read_json, replaced, write_json
from palo.schemas import (
    Finding,
    RefinedSample,
    Role,
    Sample,
    TranslatedSample,
    Turn,
    TurnMeta,
    TurnStatus,
    Verdict,
)
from palo.settings import RefineSettings

Row = dict[str, Any]

_BATCH_ROWS = 4096
_ROLES = {role.value: role for role in Role}


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


def read_shard(path: Path) -> list[Row]:
    """All rows of a shard. Raises UserError for a file that is no Parquet."""
    try:
        return pq.read_table(path).to_pylist()
    except (pa.ArrowInvalid, OSError) as error:
        raise _unreadable(path, error) from None


def read_column(path: Path, name: str) -> list[Any]:
    """One column of a shard, the others unread. Raises UserError for a file that is no Parquet."""
    try:
        return pq.read_table(path, columns=[name]).column(name).to_pylist()
    except (pa.ArrowInvalid, OSError) as error:
        raise _unreadable(path, error) from None


def read_columns(path: Path, names: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    """Rows of these columns, a batch in memory at a time. Raises UserError for a file that is no
    Parquet or lacks one of them."""
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


def _unreadable(path: Path, error: Exception) -> UserError:
    return UserError(f"Cannot read shard {path}: {error}. Remove it and run the stage again.")


def read_samples(path: Path) -> list[Sample]:
    return [row_to_sample(row) for row in read_shard(path)]


def read_translated(path: Path) -> list[TranslatedSample]:
    return [row_to_translated(row) for row in read_shard(path)]


def read_refined(path: Path) -> list[RefinedSample]:
    return [row_to_refined(row) for row in read_shard(path)]


def sample_to_row(sample: Sample) -> Row:
    return _row(sample, "turns")


def row_to_sample(row: Row) -> Sample:
    return Sample(
        row["sample_id"], row["source_id"], row["image"], _turns(row["turns"]), row["origin"]
    )


def translated_to_row(sample: TranslatedSample) -> Row:
    return _row(sample, "source", "target", "meta")


def row_to_translated(row: Row) -> TranslatedSample:
    meta = tuple(
        TurnMeta(**{**value, "status": TurnStatus(value["status"])}) for value in row["meta"]
    )
    return TranslatedSample(
        sample_id=row["sample_id"],
        source_id=row["source_id"],
        lang=row["lang"],
        image=row["image"],
        source=_turns(row["source"]),
        target=_turns(row["target"]),
        meta=meta,
        origin=row["origin"],
    )


def refined_to_row(refined: RefinedSample) -> Row:
    return {
        **translated_to_row(refined.sample),
        "findings": [[asdict(finding) for finding in turn] for turn in refined.findings],
        "turn_verdicts": list(refined.turn_verdicts),
        "verdict": refined.verdict,
        "kept": refined.kept,
    }


def row_to_refined(row: Row) -> RefinedSample:
    findings = tuple(
        tuple(Finding(**{**value, "verdict": Verdict(value["verdict"])}) for value in turn)
        for turn in row["findings"]
    )
    return RefinedSample(
        sample=row_to_translated(row),
        findings=findings,
        turn_verdicts=tuple(Verdict(value) for value in row["turn_verdicts"]),
        verdict=Verdict(row["verdict"]),
        kept=row["kept"],
    )


def _row(sample: Sample | TranslatedSample, *lists: str) -> Row:
    """As asdict gives it, at a tenth of its time; `lists` are the fields with one part a turn."""
    row = dict(vars(sample))
    return row | {name: [dict(vars(part)) for part in row[name]] for name in lists}


def _turns(values: list[Row]) -> tuple[Turn, ...]:
    return tuple([Turn(_ROLES[value["role"]], value["text"]) for value in values])
