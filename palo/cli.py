"""The front door: `palo --help`. Each stage brings its own commands; here they become one program.

palo translate --lang ur
palo refine
palo train --scale 13b
palo status
"""

import errno
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

import data_cards.cli
import refine.cli
import sceneworld.cli
import sceneworld.truth
import train.cli
import translate.benchmark_set
import translate.cli
from palo import pipeline, report
from palo.console import LangsOption, ProfileOption, SourceOption, announce, console, note
from palo.errors import UserError
from palo.files import disk_full, run_lock
from palo.hub import stay_offline
from palo.languages import parse_languages
from palo.settings import load_profile

INTERRUPTED = 130  # what a shell reports for a program that Ctrl-C ended
STOPPED = "Stopped. What was done is kept: the same command goes on from here."

app = typer.Typer(
    name="palo",
    help="Translate vision-language instructions, review them, train and evaluate on them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for register in (
    sceneworld.cli.register,
    translate.cli.register,
    refine.cli.register,
    train.cli.register,
    data_cards.cli.register,
):
    register(app)


@app.command("status")
def status_command(source: SourceOption = None, profile: ProfileOption = None) -> None:
    """Say how far each language is. Source, translated, kept, flagged, reviewed, left to do."""
    settings = load_profile(profile).on(source)
    announce(settings, "status")
    console.print(report.status_table(report.collect_status(settings)))


@app.command("report")
def report_command(profile: ProfileOption = None) -> None:
    """Report on the whole run. Tables in the terminal; one HTML page with figures and examples."""
    settings = load_profile(profile)
    announce(settings, "report")
    figures = report.collect(settings, sceneworld.truth.measure(settings))
    console.print(report.table(figures))
    note(f"Report: {report.write_page(figures, settings)}")


bench_app = typer.Typer(
    name="bench", help="A LLaVA-Bench-style set in ten languages.", no_args_is_help=True
)
app.add_typer(bench_app)


@bench_app.command("build")
def bench_build_command(
    lang: LangsOption,
    bench: Annotated[
        Path | None, typer.Option("--bench", help="The set's folder, instead of the profile's.")
    ] = None,
    engine: translate.cli.EngineOption = None,
    retry_errors: translate.cli.RetryErrorsOption = False,
    allow_missing: Annotated[
        bool, typer.Option("--allow-missing", help="Leave out questions without a translation.")
    ] = False,
    profile: ProfileOption = None,
) -> None:
    """Translate a LLaVA-Bench-style set. It is queued for review, and written as published."""
    settings = load_profile(profile)
    root, settings = translate.benchmark_set.at_work_on(settings, bench)
    announce(settings, f"bench build --lang {lang}")
    langs = parse_languages(lang)
    kind = translate.cli.engine_kind(engine, settings.translator)
    paths = settings.paths
    with run_lock(paths.root, "palo bench build"):
        english = translate.cli.translate_set(settings, root, langs, kind, retry_errors)
        refine.cli.refine_all(settings, langs)
        translate.benchmark_set.build_all(english, langs, paths, allow_missing)


@app.command("demo")
def demo_command(profile: ProfileOption = None) -> None:
    """Run the whole pipeline. Command by command, as pipelines.yaml lists it under `demo`."""
    pipeline.run("demo", load_profile(profile))


def main() -> None:
    """Runs a command; turns what a user can mend into a sentence and exit code 2."""
    stay_offline()
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")  # its remarks on published configs
    sys.exit(guarded(app))


def guarded(program: Callable[[], object]) -> int:
    """The exit code of `program`: 0, 2 for a user's mistake, 130 after Ctrl-C."""
    try:
        program()
    except UserError as error:
        return _fail(str(error), error.exit_code)
    except KeyboardInterrupt:
        return _fail(STOPPED, INTERRUPTED)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return _fail(str(disk_full(error.filename or "a file")), 2)
        if isinstance(error, PermissionError):
            return _fail(f"Not allowed: {error.filename}. Check who owns it.", 2)
        raise
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else int(bool(stop.code))
        # typer turns Ctrl-C into a silent exit with this code
        return _fail(STOPPED, INTERRUPTED) if code == INTERRUPTED else code
    return 0


def _fail(message: str, code: int) -> int:
    sys.stdout.flush()
    print(message, file=sys.stderr)
    return code
