"""`palo refine report`: a table in the terminal, a JSON file and an HTML page."""

import typer

from palo.console import LangsOption, ProfileOption, SourceOption, announce, console, note
from palo.errors import UserError
from palo.files import write_json
from palo.languages import TARGETS, parse_languages
from palo.paths import DataPaths
from palo.settings import load_profile
from palo.shards import records_digest, shard_paths


def register(refine_app: typer.Typer) -> None:
    refine_app.command("report")(report_command)


def report_command(
    lang: LangsOption = "all", profile: ProfileOption = None, source: SourceOption = None
) -> None:
    """Kept and flagged by reason and language, before and after review, with examples.

    The table is of the languages asked for; the files beside it always hold all that were refined.
    """
    from refine.report.figures import collect
    from refine.report.filters import described
    from refine.report.page import write_page
    from refine.report.table import table

    settings = load_profile(profile).on(source)
    announce(settings, "refine report")
    paths = DataPaths(settings.data_dir)
    langs = [str(code) for code in parse_languages(lang)]
    found = [
        str(code)
        for code in TARGETS
        if shard_paths(paths.refined(code)) or paths.review(code).is_dir()
    ]
    if not {*found} & {*langs}:
        raise UserError(
            f"Nothing was refined for {' '.join(langs)} in {settings.data_dir}. "
            "Run `palo refine` first."
        )
    rows = [collect(settings, code) for code in found]
    console.print(table([row for row in rows if row.lang in langs], settings.name))
    page = paths.refine_report
    write_json(
        page.with_suffix(".json"),
        {
            "profile": settings.name,
            "acceptance": settings.refine.acceptance.model_dump(),
            "filters": described(settings.refine, found),
            "languages": {
                row.lang: {**row.as_json(), "shards": records_digest(paths.refined(row.lang))}
                for row in rows
            },
        },
    )
    write_page(page, settings.name, rows)
    note(f"Report: {page} and {page.with_suffix('.json').name} beside it")
