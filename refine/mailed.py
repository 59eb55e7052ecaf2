"""A review file that came from elsewhere, such as a reviewer's mail: looked at, then taken in."""

from dataclasses import replace
from pathlib import Path

from palo.errors import UserError
from palo.files import file_digest, replaced, run_lock
from palo.memory import VerifiedMemory, check_memory
from palo.paths import DataPaths
from refine.intake import Intake, preview, take_in
from refine.review_csv import ReadFile
from refine.review_files import XLSX, read_returned

_DIGEST_CHARS = 8


def own_name(file: Path) -> str:
    """`batch-0001-1a2b3c4d.csv`: the content is in the name, so no other file is overwritten."""
    stem = file.stem.lstrip(".~") or "review"
    suffix = XLSX if file.suffix.lower() == XLSX else ".csv"
    return f"{stem}-{file_digest(file)[:_DIGEST_CHARS]}{suffix}"


def languages_of(file: Path) -> list[str]:
    """The languages that the rows name. Raises UserError where the file cannot be read at all."""
    return sorted({one.row.lang.strip() for one in _read(file).rows} - {""})


def import_file(paths: DataPaths, lang: str, file: Path, now: str, dry_run: bool) -> Intake:
    """Copies the file into the review folder and takes it in; with `dry_run` it only says so.

    The same file a second time changes nothing. Raises UserError where it cannot be read.
    """
    name = own_name(file)
    read = _renamed(_read(file), name)
    target = paths.review(lang) / name
    check_memory(paths.verified(lang))
    if dry_run:
        arrived = [] if target.exists() else [read]
        with VerifiedMemory.existing(paths.verified(lang)) as memory:
            return preview(paths, lang, memory, arrived)
    with (
        run_lock(paths.refined(lang), f"palo review import {lang}"),
        VerifiedMemory(paths.verified(lang)) as memory,
    ):
        if not target.exists():
            with replaced(target) as temporary:
                temporary.write_bytes(file.read_bytes())
        return take_in(paths, lang, memory, now)


def _read(file: Path) -> ReadFile:
    if not file.is_file():
        raise UserError(f"{file} is no file. Name the review CSV that came back.")
    read = read_returned(file)
    if not read.rows and read.problems:
        raise UserError(f"{file} cannot be taken in: {read.problems[0].problem}")
    return read


def _renamed(read: ReadFile, name: str) -> ReadFile:
    return ReadFile(
        tuple(replace(one, file=name) for one in read.rows),
        tuple(replace(one, file=name) for one in read.problems),
    )
