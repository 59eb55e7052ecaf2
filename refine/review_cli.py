"""Commands around the review files: `palo review status`, `export`, `import FILE --dry-run`."""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from palo.console import (
    NOTHING,
    LangsOption,
    ProfileOption,
    SourceOption,
    announce,
    console,
    note,
    percent,
)
from palo.errors import UserError
from palo.languages import parse_languages
from palo.paths import DataPaths
from palo.settings import load_profile
from palo.shards import shard_paths
from refine.intake import import_file, languages_of, own_name
from refine.queue import FLAGGED, check_choice, export_chosen
from refine.review_file import errors_path
from refine.review_status import ReviewStatus, review_status
from refine.serve import command as serve

review_app = typer.Typer(help="Where reviews stand; review files that come from elsewhere.")


def register(app: typer.Typer) -> None:
    serve.register(review_app)
    app.add_typer(review_app, name="review")


@review_app.callback(invoke_without_command=True)
def review(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        console.print(context.get_help(), markup=False)


@review_app.command("status")
def status_command(
    lang: LangsOption = "all",
    profile: ProfileOption = None,
    source: SourceOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead.")] = False,
) -> None:
    """Per language: rows out, done, conflicts, agreement, edit rate, time."""
    settings = load_profile(profile).on(source)
    paths = DataPaths(settings.data_dir)
    langs = [str(code) for code in parse_languages(lang)]
    found = [review_status(paths, code) for code in langs if paths.review(code).is_dir()]
    if not found:
        raise UserError(
            f"Nothing is in review for {' '.join(langs)} in {settings.data_dir}. "
            "Run `palo refine` first."
        )
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in found], indent=2))
        return
    announce(settings, "review status")
    console.print(_table(found))


@review_app.command("export")
def export_command(
    only: Annotated[
        str,
        typer.Option(
            "--only",
            help="flagged, verdicts or reasons (length,numbers), or a file of ids, a line each.",
        ),
    ] = FLAGGED,
    max_rows: Annotated[
        int | None, typer.Option("--max-rows", min=1, help="At most so many turns a language.")
    ] = None,
    lang: LangsOption = "all",
    profile: ProfileOption = None,
    source: SourceOption = None,
) -> None:
    """Write a batch of chosen turns that are not out yet, beside those of `palo refine`."""
    settings = load_profile(profile).on(source)
    check_choice(only, settings.refine)
    paths = DataPaths(settings.data_dir)
    named = [str(code) for code in parse_languages(lang)]
    langs = [code for code in named if shard_paths(paths.refined(code))]
    if not langs:
        raise UserError(
            f"Nothing was refined for {' '.join(named)} in {settings.data_dir}. "
            "Run `palo refine` first."
        )
    announce(settings, "review export")
    rows = max_rows or settings.refine.max_review_rows
    now = datetime.now(UTC).isoformat(timespec="seconds")
    for code in langs:
        queue = export_chosen(paths, code, only, rows, now)
        for path in queue.files:
            note(f"{code}: to review: {path}")
        if not queue.files:
            note(f"{code}: no turn of {only} that is not out already")
        if queue.unwritable:
            note(f"{code}: too long for a spreadsheet cell: {', '.join(queue.unwritable)}")


@review_app.command("import")
def import_command(
    file: Annotated[Path, typer.Argument(help="A review CSV, such as one that came by mail.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be taken; change nothing.")
    ] = False,
    profile: ProfileOption = None,
    source: SourceOption = None,
) -> None:
    """Take in a review file from anywhere; good rows count whatever is wrong with others."""
    settings = load_profile(profile).on(source)
    announce(settings, "review import")
    lang = _language(file)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    paths = DataPaths(settings.data_dir)
    intake = import_file(paths, lang, file, now, dry_run)
    name = own_name(file)
    will = "would be taken in" if dry_run else "taken in"
    note(f"{lang}: {intake.taken} reviewed turns {will}, {intake.known} known before")
    if intake.stale:
        note(f"{lang}: {intake.stale} of them had another translation by now; edits kept")
    wrong = [one for one in intake.problems if one.file == name]
    for one in wrong:
        note(f"{file.name} line {one.line} {one.id} {one.column}: {one.problem}")
    if others := len(intake.problems) - len(wrong):
        note(f"{lang}: {others} rows of other files are not taken")
    if wrong and not dry_run:
        sidecar = errors_path(Path(name)).name
        note(f"The same is in {paths.review(lang) / sidecar}")


def _language(file: Path) -> str:
    """The one language of the rows."""
    named = languages_of(file)
    if len(named) != 1:
        said = f"rows of {', '.join(named)}" if named else "no row that names a language"
        raise UserError(f"{file} has {said}. A review file holds one language in column 'lang'.")
    return str(parse_languages(named[0])[0])


def _table(found: list[ReviewStatus]) -> Table:
    shown = Table("language", title="reviews (turns)")
    for name in ("out", "done", "conflicts", "agreement", "edit rate", "median hours"):
        shown.add_column(name, justify="right")
    for one in found:
        shown.add_row(
            one.lang,
            *(str(count) for count in (one.out, one.done, one.conflicts)),
            NOTHING if one.agreement is None else f"{one.agreement:.2f}",
            percent(one.edit_rate),
            NOTHING if one.median_hours is None else f"{one.median_hours:.1f}",
        )
    return shown
