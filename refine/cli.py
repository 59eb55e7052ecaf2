"""Commands of the refine stage: `palo refine` judges, `palo review` is about the review files."""

import json
import webbrowser
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
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
    group,
    note,
    percent,
    progress,
    table,
)
from palo.errors import UserError
from palo.files import timestamp
from palo.languages import TARGETS, parse_languages
from palo.settings import Profile, load_profile
from palo.shards import shard_paths
from refine import calibrate, check
from refine.filters import load_thresholds, without_bands
from refine.intake import import_file, languages_of, own_name
from refine.queue import FLAGGED, Queue, check_choice
from refine.review_file import errors_path
from refine.review_status import review_status
from refine.run import LanguageSummary, refine_language

_TOP_REASONS = 3

refine_app = typer.Typer(help="Judge translations; export, import reviews.")
review_app = group("Where reviews stand; files from elsewhere.")


def register(app: typer.Typer) -> None:
    app.add_typer(refine_app, name="refine")
    app.add_typer(review_app, name="review")


@refine_app.callback(invoke_without_command=True)
def refine_command(
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
    paths, named = settings.paths, _codes(lang)
    first = f"palo {'translator seed' if seed else 'translate'} --lang {','.join(named)}"
    seeded = [code for code in named if shard_paths(paths.seed_dir / code)]
    translated = [code for code in named if shard_paths(paths.translated(code)) or code in seeded]
    langs = seeded if seed else translated
    if not langs:
        raise _nothing(f"Nothing to refine for {' '.join(named)}", settings, first)
    bands = load_thresholds(settings.refine.thresholds_path)
    for line in filter(None, (without_bands(code, bands) for code in langs)):
        note(line)
    refine_all(settings, langs, seed)


def refine_all(settings: Profile, langs: Sequence[str], seed: bool = False) -> None:
    """Refines the languages one by one, with all that is said meanwhile."""
    paths, now = settings.paths, timestamp()
    shards = sum(len(shard_paths(paths.translated(code))) for code in langs)
    with progress("refine", 0 if seed else shards) as tick:
        summaries = [refine_language(settings, code, seed, now, tick) for code in langs]
    if seed:
        rows = ((row.lang, str(row.intake.taken), str(row.queue.waiting)) for row in summaries)
        title = "the seed's turns in review"
        console.print(table("language", "taken in now", "in queue", rows=rows, title=title))
    else:
        console.print(_table(summaries))
    for summary in summaries:
        lang, intake = summary.lang, summary.intake
        if intake.taken:
            note(f"{lang}: {intake.taken} reviewed turns taken in")
        if intake.stale:
            note(
                f"{lang}: {intake.stale} reviewed turns had another translation by now; edits kept"
            )
        for file, count in sorted(Counter(problem.file for problem in intake.problems).items()):
            sidecar = errors_path(Path(file)).name
            note(f"{lang}: {count} rows of {file} were not taken; {sidecar} beside it says why")
        _name_rows(lang, summary.queue)


@refine_app.command("calibrate")
def calibrate_command(
    pairs: Annotated[
        Path | None,
        typer.Argument(help="TSV, CSV, JSONL or Parquet of source and target; default: reviews."),
    ] = None,
    lang: LangsOption = "all",
    output: Annotated[
        Path, typer.Option(help="The file to write; other languages in it stay.")
    ] = Path("thresholds.yaml"),
    profile: ProfileOption = None,
    source: SourceOption = None,
) -> None:
    """Derive the filters' bands. From verified translations: a file, or what was reviewed."""
    settings = load_profile(profile).on(source)
    announce(settings, "refine calibrate")
    console.print(calibrate.calibrate(settings, _codes(lang), pairs, output))
    note(f"Written: {output}. To use it, set refine: {{thresholds_path: {output}}}")


@refine_app.command("check")
def check_command(
    pairs: Annotated[
        Path, typer.Argument(help="TSV, CSV, JSONL (.gz too) or Parquet; - for standard input.")
    ],
    lang: Annotated[str, typer.Option("--lang", help="The language of `target`.")],
    output: Annotated[
        Path | None, typer.Option("--output", help="Where the JSONL goes; else standard output.")
    ] = None,
    profile: ProfileOption = None,
) -> None:
    """Judge a file's pairs of source and target. One JSON line a row, in order."""
    codes = _codes(lang)
    if len(codes) != 1:
        raise UserError(f"--lang takes one language here, not '{lang}'.")
    check.check_file(pairs, codes[0], output, load_profile(profile).refine)


@refine_app.command("report")
def report_command(
    lang: LangsOption = "all", profile: ProfileOption = None, source: SourceOption = None
) -> None:
    """Say what was kept and flagged. By reason and language, before and after review; examples.

    The table is of the languages asked for; the files beside it always hold all that were refined.
    """
    from refine import report

    settings = load_profile(profile).on(source)
    announce(settings, "refine report")
    paths, langs = settings.paths, _codes(lang)
    refined = [
        str(code)
        for code in TARGETS
        if shard_paths(paths.refined(code)) or paths.review(code).is_dir()
    ]
    if not {*refined} & {*langs}:
        raise _nothing(f"Nothing was refined for {' '.join(langs)}", settings)
    figures = [report.collect(settings, code) for code in refined]
    console.print(report.table([row for row in figures if row.lang in langs], settings.name))
    path = report.write_report(settings, figures)
    note(f"Report: {path} and {path.with_suffix('.json').name} beside it")


@review_app.command("status")
def status_command(
    lang: LangsOption = "all",
    profile: ProfileOption = None,
    source: SourceOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead.")] = False,
) -> None:
    """Say where reviews stand. Rows out, done, conflicts, agreement, edit rate, time a language."""
    settings = load_profile(profile).on(source)
    paths, langs = settings.paths, _codes(lang)
    statuses = [review_status(paths, code) for code in langs if paths.review(code).is_dir()]
    if not statuses:
        raise _nothing(f"Nothing is in review for {' '.join(langs)}", settings)
    if as_json:
        typer.echo(json.dumps([asdict(status) for status in statuses], indent=2))
        return
    announce(settings, "review status")
    names = ("out", "done", "conflicts", "agreement", "edit rate", "median hours")
    rows = (
        (
            status.lang,
            *(str(count) for count in (status.out, status.done, status.conflicts)),
            NOTHING if status.agreement is None else f"{status.agreement:.2f}",
            percent(status.edit_rate),
            NOTHING if status.median_hours is None else f"{status.median_hours:.1f}",
        )
        for status in statuses
    )
    console.print(table("language", *names, rows=rows, title="reviews (turns)"))


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
    """Write a batch of chosen turns. Of those not out yet; it stands beside `palo refine`'s."""
    settings = load_profile(profile).on(source)
    check_choice(only, settings.refine)
    paths, named = settings.paths, _codes(lang)
    langs = [code for code in named if shard_paths(paths.refined(code))]
    if not langs:
        raise _nothing(f"Nothing was refined for {' '.join(named)}", settings)
    announce(settings, "review export")
    rows, now = max_rows or settings.refine.max_review_rows, timestamp()
    for code in langs:
        queue = Queue(paths, code, now)
        queue.send_chosen(only, rows)
        if not queue.files:
            note(f"{code}: no turn of {only} that is not out already")
        _name_rows(code, queue)


@review_app.command("import")
def import_command(
    file: Annotated[Path, typer.Argument(help="A review CSV, such as one that came by mail.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be taken; change nothing.")
    ] = False,
    profile: ProfileOption = None,
    source: SourceOption = None,
) -> None:
    """Take in a review file from anywhere. Good rows count whatever is wrong with others."""
    settings = load_profile(profile).on(source)
    announce(settings, "review import")
    named = languages_of(file)
    if len(named) != 1:
        said = f"rows of {', '.join(named)}" if named else "no row that names a language"
        raise UserError(f"{file} has {said}. A review file holds one language in column 'lang'.")
    lang, paths = _codes(named[0])[0], settings.paths
    intake = import_file(paths, lang, file, timestamp(), dry_run)
    name = own_name(file)
    will = "would be taken in" if dry_run else "taken in"
    note(f"{lang}: {intake.taken} reviewed turns {will}, {intake.known} known before")
    if intake.stale:
        note(f"{lang}: {intake.stale} of them had another translation by now; edits kept")
    wrong = [problem for problem in intake.problems if problem.file == name]
    for problem in wrong:
        where = f"{file.name} line {problem.line} {problem.id} {problem.column}"
        note(f"{where}: {problem.problem}")
    if others := len(intake.problems) - len(wrong):
        note(f"{lang}: {others} rows of other files are not taken")
    if wrong and not dry_run:
        note(f"The same is in {paths.review(lang) / errors_path(Path(name)).name}")


@review_app.command("serve")
def serve_command(
    lang: Annotated[str, typer.Option("--lang", help="One language, such as ur.")],
    batch: Annotated[
        str | None, typer.Option("--batch", help="batch-0001; else the first with open rows.")
    ] = None,
    reviewer: Annotated[
        str, typer.Option("--reviewer", help="Your name; it stands beside your decisions.")
    ] = "",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0: any free one.")] = 0,
    host: Annotated[
        str, typer.Option("--host", help="Who can reach the page; the default: only this machine.")
    ] = "127.0.0.1",
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Only print the address.")
    ] = False,
    profile: ProfileOption = None,
    source: SourceOption = None,
) -> None:
    """Review a batch on a local page. Image, English, translation side by side; by keyboard."""
    from refine.serve import LOOPBACK, ReviewServer, ReviewStore, find_batch

    settings = load_profile(profile).on(source)
    announce(settings, "review serve")
    langs = _codes(lang)
    if len(langs) > 1:
        raise UserError(f"One language at a time: --lang {langs[0]}")
    code, name = langs[0], " ".join(reviewer.split())
    exported = find_batch(settings.paths.review(code), code, batch, name)
    store = ReviewStore(exported, code, name)
    with ReviewServer(store, settings.source.images_dir, host, port) as server:
        num_rows = len(store.rows)
        decided = f"{store.num_decided()} of {num_rows} rows decided"
        note(f"{code} {exported.stem}: {decided}, in {store.path}")
        if not name:
            note("No --reviewer: decisions carry no name, and agreement cannot be measured.")
        if host not in LOOPBACK:
            note(
                f"Warning: {host} lets other machines reach the page. It is not encrypted; whoever "
                "has the address below can read and decide rows."
            )
        console.print(f"Review at {server.url}", markup=False, soft_wrap=True)
        note("Ctrl-C ends it; decisions are saved as they are made.")
        if not no_browser:
            webbrowser.open(server.url)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            note(f"{store.num_decided()} of {num_rows} rows decided. To take them in:")
            note(f"  palo refine --lang {code}")


def _codes(lang: str) -> list[str]:
    return [str(code) for code in parse_languages(lang)]


def _nothing(what: str, settings: Profile, first: str = "palo refine") -> UserError:
    return UserError(f"{what} in {settings.data_dir}. Run `{first}` first.")


def _table(summaries: Sequence[LanguageSummary]) -> Table:
    counts = ("samples", "kept", "flagged", "reviewed")
    rows = []
    for summary in summaries:
        top = Counter(summary.manifest["by_reason"]).most_common(_TOP_REASONS)
        numbers = (*(summary.manifest[name] for name in counts), summary.queue.waiting)
        reasons = ", ".join(f"{name} {count}" for name, count in top) or NOTHING
        rows.append((summary.lang, *map(str, numbers), reasons))
    return table(
        "language",
        *(*counts, "in queue"),
        text="top reasons (turns)",
        rows=rows,
        title="refined (samples; reviewed and in queue: turns)",
    )


def _name_rows(lang: str, queue: Queue) -> None:
    for path in queue.files:
        note(f"{lang}: to review: {path}")
    if queue.later:
        note(f"{lang}: {queue.later} more turns wait for room in the queue (max_review_rows)")
    if queue.unwritable:
        note(f"{lang}: too long for a spreadsheet cell: {', '.join(queue.unwritable)}")
