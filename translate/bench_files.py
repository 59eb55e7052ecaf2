"""Writes a set that was built into its folder, with `bench.json` beside it, and loses nothing.

Files that are there and were not written by a build, or were edited since, are never replaced.
"""

from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

from palo.bench import QUESTIONS, Bench, files_of, texts, write_bench
from palo.errors import UserError
from palo.schemas import TurnStatus
from palo.shards import digest, file_digest, read_json, write_json
from translate.bench import Built

MANIFEST = "bench.json"
_MISSING_SAID = 10


class Incomplete(UserError):
    """Parts of the set have no translation that could be used."""

    exit_code = 3


@dataclass(frozen=True)
class Outcome:
    """What became of one language; `written` is False where parts are missing and may not be."""

    lang: str
    folder: Path
    built: Built
    written: bool

    @property
    def left_out(self) -> str:
        """`question 3, 7`"""
        return "question " + ", ".join(str(one.question_id) for one in self.built.left_out)

    @property
    def line(self) -> str:
        tally, bench = self.built.tally, self.built.bench
        shares = " + ".join(
            f"{tally.by_status[status]} {status}"
            for status in (TurnStatus.VERIFIED, TurnStatus.TRANSLATED, TurnStatus.COPIED)
            if tally.by_status[status] or status is not TurnStatus.COPIED
        )
        what = (
            f"{len(bench.questions)} questions in {self.folder}" if self.written else "not written"
        )
        left = f"; left out: {self.left_out}" if self.built.left_out else ""
        doubted = f"; {tally.doubted} wait for review" if tally.doubted else ""
        return f"{self.lang}: {what}; {shares} turns{doubted}{left}"


def write_built(english: Bench, built: Built, folder: Path, allow_missing: bool) -> Outcome:
    """Raises UserError for files in the folder that no build wrote or that were edited since."""
    lang = built.bench.lang
    if built.missing and not (allow_missing and built.bench.questions):
        return Outcome(lang, folder, built, written=False)
    files = texts(built.bench)
    before = _known(folder, files)
    write_bench(built.bench, folder)
    for name in before:
        if name not in files:
            (folder / name).unlink(missing_ok=True)  # of a reference that English has no more
    write_json(folder / MANIFEST, _manifest(english, built, files))
    return Outcome(lang, folder, built, written=True)


def require_complete(outcomes: list[Outcome]) -> None:
    """Raises Incomplete that names what is missing in every language that was not written."""
    lines = []
    for one in outcomes:
        if one.written:
            continue
        missing = one.built.missing
        lines.append(f"- {one.lang}: {one.left_out if one.built.left_out else 'captions'}")
        lines += [f"    {each}" for each in missing[:_MISSING_SAID]]
        if len(missing) > _MISSING_SAID:
            lines.append(f"    and {len(missing) - _MISSING_SAID} more parts")
    if lines:
        raise Incomplete(
            "Not written, for parts have no translation that passed:\n"
            + "\n".join(lines)
            + "\nCorrect them in the review CSVs named above and run the command again, or leave "
            "these questions out with --allow-missing. What an earlier build wrote stands as it "
            "was."
        )


def _known(folder: Path, files: dict[str, str]) -> dict[str, str]:
    """The digests of the build before; a build that was cut short left some of `files`."""
    path = folder / MANIFEST
    known: dict[str, str] = read_json(path)["files"] if path.is_file() else {}
    found = [*files, *(name for name in (*QUESTIONS, *known) if name not in files)]
    for name in found:
        if not (folder / name).is_file():
            continue
        there = file_digest(folder / name)
        if there not in (known.get(name), _digest(files.get(name, ""))):
            said = "was edited since it was built" if name in known else "was not built here"
            raise UserError(
                f"{folder / name} {said}, and a build would replace it. Move it away; corrections "
                "belong into the review CSVs."
            )
    return known


def _manifest(english: Bench, built: Built, files: dict[str, str]) -> dict[str, Any]:
    """No clock in it: the same inputs give the same bytes."""
    tally, bench = built.tally, built.bench
    turns = tally.by_status.total()
    return {
        "lang": str(bench.lang),
        "made_from": {path.name: file_digest(path) for path in files_of(english)},
        "files": {name: _digest(text) for name, text in files.items()},
        "set": digest(files),
        "translators": dict(tally.signatures),
        "counts": {
            "questions": len(bench.questions),
            "captions": len({one.image for one in bench.captions}),
            "answers": {name: len(some) for name, some in bench.answers.items()},
        },
        "turns": dict(tally.by_status),
        "review": {
            "turns": turns,
            "verified": tally.by_status[TurnStatus.VERIFIED],
            "waiting": tally.doubted,
        },
        "left_out": [question.question_id for question in built.left_out],
        "missing": [{"part": one.part, "why": one.why} for one in built.missing],
    }


def _digest(text: str) -> str:
    """As `file_digest` of a file with this text."""
    return blake2b(text.encode("utf-8"), digest_size=16).hexdigest()
