"""Where a run stands, per language, read from records and manifests alone."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from palo import console
from palo.files import read_json
from palo.languages import TARGETS, info
from palo.settings import Profile
from palo.shards import read_record, shard_paths


@dataclass(frozen=True)
class LanguageStatus:
    """Samples, but for `reviewed`, which counts turns that a person accepted or wrote."""

    lang: str
    source: int
    translated: int
    kept: int
    flagged: int
    reviewed: int

    @property
    def left(self) -> int:
        return max(0, self.source - self.translated)


def collect(profile: Profile) -> list[LanguageStatus]:
    paths = profile.paths
    source = _samples_in(paths.source_dir)
    rows = []
    for lang in TARGETS:
        refined = manifest(paths.refined(lang))
        rows.append(
            LanguageStatus(
                lang=lang,
                source=source,
                translated=_samples_in(paths.translated(lang)),
                kept=int(refined.get("kept", 0)),
                flagged=int(refined.get("flagged", 0)),
                reviewed=int(refined.get("reviewed", 0)),
            )
        )
    return rows


def manifest(folder: Path) -> dict[str, Any]:
    """The folder's manifest.json, or an empty one where the stage has not run."""
    path = folder / "manifest.json"
    return read_json(path) if path.is_file() else {}


def table(rows: list[LanguageStatus]) -> Table:
    def cells(row: LanguageStatus) -> tuple[str, ...]:
        numbers = (row.source, row.translated, row.kept, row.flagged, row.reviewed, row.left)
        return f"{row.lang} {info(row.lang).name}", *(f"{number:,}" for number in numbers)

    return console.table(
        "language",
        *("source", "translated", "kept", "flagged", "reviewed", "left to do"),
        rows=map(cells, rows),
        narrow=True,
        title="samples per language (reviewed: turns)",
    )


def _samples_in(folder: Path) -> int:
    records = (read_record(path) for path in shard_paths(folder))
    return sum(record.counts.get("samples", 0) for record in records if record)
