"""Where a run stands, per language, read from records and manifests alone."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table

from palo.files import read_json
from palo.languages import LANGUAGES, TARGETS
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
    shown = Table(
        title="samples per language (reviewed: turns)",
        box=box.SIMPLE_HEAD,  # frames would not leave room for six-digit numbers in 80 columns
        show_edge=False,
        pad_edge=False,
    )
    shown.add_column("language")
    for name in ("source", "translated", "kept", "flagged", "reviewed", "left to do"):
        shown.add_column(name, justify="right")
    for row in rows:
        name = f"{row.lang} {LANGUAGES[row.lang].name}"  # type: ignore[index]
        numbers = (row.source, row.translated, row.kept, row.flagged, row.reviewed, row.left)
        shown.add_row(name, *(f"{number:,}" for number in numbers))
    return shown


def _samples_in(folder: Path) -> int:
    records = (read_record(path) for path in shard_paths(folder))
    return sum(record.counts.get("samples", 0) for record in records if record)
