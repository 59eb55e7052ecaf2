"""`palo memory`: what the translation memories hold, and their way into CAT tools and back."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from palo.console import LangsOption, ProfileOption, SourceOption, announce, console, note
from palo.errors import UserError
from palo.files import run_lock
from palo.languages import parse_languages
from palo.memory import Entry, Salvaged, TranslationMemory, VerifiedEntry, VerifiedMemory, salvage
from palo.paths import DataPaths
from palo.schemas import TurnStatus
from palo.settings import Profile, load_profile
from palo.shards import shard_paths
from translate.exchange import Delivery, Fate, Taken, take_in
from translate.tmx import CONTEXT, KEY, TOOL, Unit, read_tmx, write_tmx

OneLangOption = Annotated[str, typer.Option(help="One language.")]

_ALWAYS_TOLD = (Fate.VERIFIED, Fate.KNOWN)
_EXAMPLE_CHARS = 80

memory_app = typer.Typer(name="memory", help="The translation memories.", no_args_is_help=True)


@memory_app.command("stats")
def stats_command(
    lang: LangsOption = "all", source: SourceOption = None, profile: ProfileOption = None
) -> None:
    """Per language: entries by status, what people verified, failures by reason, size."""
    _, paths = _begin(f"memory stats --lang {lang}", source, profile)
    table = Table("language", title="Translation memories")
    for title in ("translated", "failed", "verified", "translators", "MB"):
        table.add_column(title, justify="right")
    problems: Counter[str] = Counter()
    for one in parse_languages(lang):
        machine, verified = paths.memory(one), paths.verified(one)
        files = [each for each in (machine, verified) if each.is_file()]
        if not files:
            table.add_row(one, *"-----")
            continue
        with (
            TranslationMemory.existing(machine) as memory,
            VerifiedMemory.existing(verified) as words,
        ):
            by_status, signatures = memory.by_status(), memory.signatures()
            problems += memory.problems()
            table.add_row(
                one,
                f"{by_status[TurnStatus.TRANSLATED]:,}",
                f"{by_status[TurnStatus.FAILED]:,}",
                f"{words.count():,}",
                f"{len(signatures)}",
                f"{sum(each.stat().st_size for each in files) / 1e6:.1f}",
            )
    console.print(table)
    for problem, number in problems.most_common():
        note(f"failed: {problem}: {number:,}")


@memory_app.command("show")
def show_command(
    text: Annotated[str, typer.Argument(help="An English text, whole, as the source has it.")],
    lang: LangsOption = "all",
    source: SourceOption = None,
    profile: ProfileOption = None,
) -> None:
    """Everything the memories know of a text: every translation, and where it came from."""
    settings, paths = _begin(f"memory show --lang {lang}", source, profile)
    found = 0
    for one in parse_languages(lang):
        for entry in _of_source(paths, one, text.strip()):
            found += 1
            note(f"{one}  {entry.text}")
            for name, value in _provenance(entry).items():
                note(f"    {name}: {value}")
    if not found:
        raise UserError(
            f"No memory of profile '{settings.name}' holds the text '{text}'. It must be whole; "
            "protected spans (URLs, code, boxes) are written <x1>, <x2>, ... in machine entries."
        )


@memory_app.command("export")
def export_command(
    path: Annotated[Path, typer.Argument(help="The TMX file to write.")],
    lang: OneLangOption,
    source: SourceOption = None,
    profile: ProfileOption = None,
) -> None:
    """Write a language's memories as TMX 1.4b; verified units first."""
    _, paths = _begin(f"memory export --lang {lang}", source, profile)
    one = _single(lang)
    _require(paths, one)
    with (
        TranslationMemory.existing(paths.memory(one)) as memory,
        VerifiedMemory.existing(paths.verified(one)) as words,
    ):
        written = write_tmx(path, one, _units(memory, words))
    note(f"{path}: {written.units:,} units")
    if written.left_out:
        note(f"left out: {written.left_out:,} units with control characters XML can't hold")


@memory_app.command("import")
def import_command(
    path: Annotated[Path, typer.Argument(help="The TMX file to read.")],
    lang: OneLangOption,
    reviewer: Annotated[str, typer.Option(help="Who stands for it, where the file says no one.")],
    source: SourceOption = None,
    profile: ProfileOption = None,
) -> None:
    """Take a TMX file in as verified translations; what the memories say already is skipped."""
    settings, paths = _begin(f"memory import --lang {lang}", source, profile)
    one = _single(lang)
    shards = shard_paths(paths.source_dir)
    if not shards:
        raise UserError(
            f"Profile '{settings.name}' has no source yet: run `palo translate --lang {one}` or "
            "`palo translator seed` first, so that units find their turns."
        )
    with (
        run_lock(paths.memory(one).parent / one, f"TMX import into {one}"),
        TranslationMemory.existing(paths.memory(one)) as memory,
        VerifiedMemory(paths.verified(one)) as words,
    ):
        delivery = Delivery(read_tmx(path, one), one, path.name, reviewer)
        taken = take_in(delivery, shards, settings.translator.context, memory, words)
    _tell(path, taken)


@memory_app.command("salvage")
def salvage_command(
    lang: OneLangOption, source: SourceOption = None, profile: ProfileOption = None
) -> None:
    """Copy what can be read of a damaged memory into a new file; the damaged one stays."""
    _, paths = _begin(f"memory salvage --lang {lang}", source, profile)
    one = _single(lang)
    _require(paths, one)
    saved, hopeless = [], []
    with run_lock(paths.memory_dir / one, f"salvage of the memories of {one}"):
        for path in (paths.memory(one), paths.verified(one)):
            if not path.is_file():
                continue
            try:
                made = salvage(path)
            except UserError as error:
                hopeless.append(str(error))
                continue
            if made is None:
                note(f"{path} is whole.")
            else:
                saved.append((path, made))
    for path, made in saved:
        _tell_saved(path, made)
    if hopeless:
        raise UserError("\n".join(hopeless))


def _tell_saved(path: Path, made: Salvaged) -> None:
    name = path.name
    note(f"{made.path}: {made.rows:,} rows saved, {made.lost:,} row numbers unreadable")
    note(
        f"To go on with it, move {path} away, with {name}-wal and {name}-shm where they are, and "
        f"rename {made.path.name} to {name}. Then run the command again: it asks for what is lost."
    )


def _tell(path: Path, taken: Taken) -> None:
    """All fates with their numbers, then an example of each that a person may want to mend."""
    counts = {fate: taken.fates[fate] for fate in Fate}
    shown = [f"{counts[fate]:,} {fate}" for fate in Fate if counts[fate] or fate in _ALWAYS_TOLD]
    note(f"{path}: {taken.fates.total():,} units = {' + '.join(shown)}")
    note(f"turns verified: {taken.turns:,}")
    for fate, english in taken.first.items():
        if fate not in _ALWAYS_TOLD:
            note(f"the first {fate}: {english[:_EXAMPLE_CHARS]}")


def _begin(what: str, source: Path | None, profile: str | None) -> tuple[Profile, DataPaths]:
    """The profile, announced, and where its data or that of `--source` lies."""
    settings = load_profile(profile).on(source)
    announce(settings, what)
    return settings, DataPaths(settings.data_dir)


def _single(lang: str) -> str:
    found = [str(one) for one in parse_languages(lang)]
    if len(found) != 1:
        raise UserError(f"One language at a time, not '{lang}'.")
    return found[0]


def _of_source(paths: DataPaths, lang: str, text: str) -> list[Entry | VerifiedEntry]:
    with (
        TranslationMemory.existing(paths.memory(lang)) as memory,
        VerifiedMemory.existing(paths.verified(lang)) as words,
    ):
        return [*memory.of_source(text), *words.of_source(text)]


def _require(paths: DataPaths, lang: str) -> None:
    if not paths.memory(lang).is_file() and not paths.verified(lang).is_file():
        raise UserError(
            f"There is no memory of '{lang}' in {paths.memory_dir}: run `palo translate --lang "
            f"{lang}` first."
        )


def _provenance(entry: Entry | VerifiedEntry) -> dict[str, str]:
    named = {"after": entry.context} if entry.context else {}
    if isinstance(entry, VerifiedEntry):
        turn = "every copy" if entry.all_copies else f"sample {entry.sample_id}, turn {entry.turn}"
        said_by = f"{entry.reviewer} ({entry.batch}), {entry.created}, for {turn}"
        return named | {"verified by": said_by}
    logprob = "-" if entry.mean_logprob is None else f"{entry.mean_logprob:.3f}"
    return named | {
        "status": entry.status + (f" ({entry.problem})" if entry.problem else ""),
        "engine": f"{entry.engine}, {entry.created}, attempts {entry.attempts}, "
        f"finish {entry.finish_reason}, mean logprob {logprob}",
        "translator": entry.signature,
        "prompt": entry.prompt_version,
    }


def _units(memory: TranslationMemory, words: VerifiedMemory) -> Iterator[Unit]:
    for word in words.entries():
        yield Unit(
            word.source,
            word.text,
            {
                CONTEXT: word.context,
                "x-status": str(TurnStatus.VERIFIED),
                "x-sample": word.sample_id,
                "x-turn": str(word.turn),
                "x-batch": word.batch,
            },
            word.reviewer,
            word.created,
        )
    for entry in memory.entries():
        if entry.status is TurnStatus.TRANSLATED:
            yield Unit(
                entry.source,
                entry.text,
                {
                    CONTEXT: entry.context,
                    "x-status": str(entry.status),
                    "x-engine": entry.engine,
                    KEY: entry.key.hex(),
                    "x-signature": entry.signature,
                    "x-prompt": entry.prompt_version,
                },
                TOOL,
                entry.created,
            )
