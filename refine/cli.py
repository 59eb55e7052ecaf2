"""Commands of the refine stage: `palo refine`."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from palo.console import LangsOption, ProfileOption, SourceOption, announce, console, note, progress
from palo.errors import UserError
from palo.languages import parse_languages
from palo.paths import DataPaths
from palo.settings import Profile, load_profile
from palo.shards import shard_paths
from refine import calibrate, check
from refine.filters.thresholds import load_thresholds, without_bands
from refine.report import command as report_command
from refine.review_file import errors_path
from refine.run import LanguageSummary, has_input, refine_language

_TOP_REASONS = 3


refine_app = typer.Typer(help="Judge translations; take in and export reviews.")


def register(app: typer.Typer) -> None:
    calibrate.register(refine_app)
    check.register(refine_app)
    report_command.register(refine_app)
    app.add_typer(refine_app, name="refine")


@refine_app.callback(invoke_without_command=True)
def refine(
    context: typer.Context,
    lang: LangsOption = "all",
    profile: ProfileOption = None,
    seed: Annotated[
        bool, typer.Option("--seed", help="Export the seed's translations for review instead.")
    ] = False,
    source: SourceOption = None,
) -> None:
    """Take in reviewed CSVs, judge translations, write the next review batch."""
    if context.invoked_subcommand is not None:
        return
    settings = load_profile(profile).on(source)
    announce(settings, "refine --seed" if seed else "refine")
    for line in settings.refine.models.licence_notes():
        note(line)
    langs = _with_input(settings, [str(code) for code in parse_languages(lang)], seed)
    bands = load_thresholds(settings.refine.thresholds_path)
    for line in filter(None, (without_bands(code, bands) for code in langs)):
        note(line)
    refine_all(settings, langs, seed)


def refine_all(settings: Profile, langs: Sequence[str], seed: bool = False) -> None:
    """Refines the languages one by one, with all that is said meanwhile."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    paths = DataPaths(settings.data_dir)
    shards = sum(len(shard_paths(paths.translated(code))) for code in langs)
    with progress("refine", 0 if seed else shards) as tick:
        summaries = [refine_language(settings, code, seed, now, tick) for code in langs]
    console.print(_seed_table(summaries) if seed else _table(summaries))
    for summary in summaries:
        _say(summary)


def _with_input(settings: Profile, langs: list[str], seed: bool) -> list[str]:
    """The languages that there is something to do for."""
    paths = DataPaths(settings.data_dir)
    if seed:
        found = [code for code in langs if shard_paths(paths.seed_dir / code)]
        hint = f"palo translator seed --lang {','.join(langs)}"
    else:
        found = [code for code in langs if has_input(paths, code)]
        hint = f"palo translate --lang {','.join(langs)}"
    if not found:
        raise UserError(
            f"Nothing to refine for {' '.join(langs)} in {settings.data_dir}. Run `{hint}` first."
        )
    return found


def _table(summaries: list[LanguageSummary]) -> Table:
    shown = Table(title="refined (samples; reviewed and in queue: turns)")
    shown.add_column("language")
    for name in ("samples", "kept", "flagged", "reviewed", "in queue"):
        shown.add_column(name, justify="right")
    shown.add_column("top reasons (turns)")
    for one in summaries:
        top = Counter(one.manifest["by_reason"]).most_common(_TOP_REASONS)
        shown.add_row(
            one.lang,
            *(str(one.manifest[name]) for name in ("samples", "kept", "flagged", "reviewed")),
            str(one.queue.waiting),
            ", ".join(f"{name} {count}" for name, count in top) or "-",
        )
    return shown


def _seed_table(summaries: list[LanguageSummary]) -> Table:
    shown = Table("language", title="the seed's turns in review")
    for name in ("taken in now", "in queue"):
        shown.add_column(name, justify="right")
    for one in summaries:
        shown.add_row(one.lang, str(one.intake.taken), str(one.queue.waiting))
    return shown


def _say(summary: LanguageSummary) -> None:
    """What a person should know or do next, a line each."""
    lang, intake, queue = summary.lang, summary.intake, summary.queue
    if intake.taken:
        note(f"{lang}: {intake.taken} reviewed turns taken in")
    if intake.stale:
        note(f"{lang}: {intake.stale} reviewed turns had another translation by now; edits kept")
    for file, count in sorted(Counter(one.file for one in intake.problems).items()):
        sidecar = errors_path(Path(file)).name
        note(f"{lang}: {count} rows of {file} were not taken; {sidecar} beside it says why")
    for path in queue.files:
        note(f"{lang}: to review: {path}")
    if queue.later:
        note(f"{lang}: {queue.later} more turns wait for room in the queue (max_review_rows)")
    if queue.unwritable:
        note(f"{lang}: too long for a spreadsheet cell: {', '.join(queue.unwritable)}")
