"""Checkpoints of an unfinished stage: written beside, digested, renamed; the newest whole one.

A checkpoint that was cut off has another name and is never looked at; one whose bytes changed
later is seen by its digests and passed over for the one before.
"""

import os
import shutil
from pathlib import Path

from palo.console import note
from palo.errors import UserError
from palo.files import file_digest, read_json, write_json

WRITING = ".writing"  # where a checkpoint lies until all of it is there
DIGESTS = "digests.json"


def seal(written: Path, folder: Path, keep_last: int) -> Path:
    """Digests the finished checkpoint `written`, moves it into `folder`, removes older ones."""
    digests = {
        str(path.relative_to(written)): file_digest(path)
        for path in sorted(written.rglob("*"))
        if path.is_file()
    }
    for name in digests:
        _to_disk(written / name)
    write_json(written / DIGESTS, digests)
    sealed = folder / written.name
    shutil.rmtree(sealed, ignore_errors=True)
    written.rename(sealed)
    _to_disk(folder)
    for path in _by_step(folder)[:-keep_last]:
        shutil.rmtree(path)
    return sealed


def newest_complete(folder: Path) -> Path | None:
    """The latest checkpoint whose files are all there with the bytes that were written."""
    for path in reversed(_by_step(folder)):
        if (problem := _problem(path)) is None:
            return path
        note(f"{path} cannot be used ({problem}); going on from the one before.")
    return None


def _problem(checkpoint: Path) -> str | None:
    record = checkpoint / DIGESTS
    if not record.is_file():
        return f"no {DIGESTS}"
    try:
        digests = read_json(record)
    except UserError:
        return f"{DIGESTS} is no JSON"
    for name, digest in digests.items():
        path = checkpoint / name
        if not path.is_file():
            return f"{name} is missing"
        if file_digest(path) != digest:
            return f"{name} was changed after it was written"
    return None


def _by_step(folder: Path) -> list[Path]:
    found = {int(path.name.split("-")[1]): path for path in folder.glob("checkpoint-*")}
    return [found[step] for step in sorted(found)]


def _to_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
