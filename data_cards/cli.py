"""`palo card`, `palo export`, `palo push`: describe what was made, hand it on, publish it."""

from pathlib import Path
from typing import Annotated

import typer

from data_cards.cards import (
    cards_dir,
    check_all,
    write_all,
    write_dataset_card,
    write_model_card,
)
from data_cards.export import Format, export, export_dir
from data_cards.push import What
from data_cards.release import ALL, MIXTURE, Release, parse_release, there_are
from palo.console import ProfileOption, announce, note
from palo.errors import UserError
from palo.settings import config_path, load_config, load_profile

ReleaseOption = Annotated[
    str, typer.Option("--lang", help="What of it: ur, or ur,fr, or all, or mixture.")
]


def register(app: typer.Typer) -> None:
    app.command("card")(card)
    app.command("export")(export_command)
    app.command("push")(push_command)


def card(
    lang: Annotated[
        str | None, typer.Option("--lang", help="The card of a language: ur, or ur,fr, or all.")
    ] = None,
    mixture: Annotated[
        bool, typer.Option("--mixture", help="The card of what models are trained on.")
    ] = False,
    scale: Annotated[
        str | None, typer.Option("--scale", help="The card of a checkpoint: 1.7b, 7b or 13b.")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit with 1 if a card is stale.")
    ] = False,
    profile: ProfileOption = None,
) -> None:
    """Write dataset and model cards to data_cards/: all that there is data for, or those named."""
    if check:
        _check(profile)
        return
    settings = load_profile(profile)
    announce(settings, "card")
    paths, written = settings.paths, []
    if lang is not None:
        if lang.strip().lower() == MIXTURE:
            raise UserError("The mixture is no language. Run palo card --mixture.")
        every = lang.strip().lower() == ALL
        for code in there_are(paths) if every else parse_release(lang, paths).langs:
            written.append(write_dataset_card(settings, Release(code, (code,))))
    if mixture:
        written.append(write_dataset_card(settings, parse_release(MIXTURE, paths)))
    if scale is not None:
        written.append(write_model_card(settings, scale))
    if not (lang or mixture or scale):
        written = write_all(settings)
    if not written:
        raise UserError("No translated rows to describe. Run palo translate --lang all first.")
    for path in written:
        note(f"Card: {path}")


def _check(profile: str | None) -> None:
    found = list(check_all(load_config(config_path()), profile))
    if not found:
        note(f"No card to check in {cards_dir()}.")
    for one in found:
        if one.changed:
            note(
                f"{one.path.name} is stale: {', '.join(one.changed)}. Run palo card, and read "
                "what it says now."
            )
        else:
            note(f"{one.path.name}: {one.note or 'up to date'}")
    if any(one.changed for one in found):
        raise typer.Exit(1)


def export_command(
    form: Annotated[Format, typer.Option("--format", help="llava-json, parquet or hub.")],
    lang: ReleaseOption = ALL,
    out: Annotated[
        Path | None, typer.Option("--out", help="The folder to write; else below the data.")
    ] = None,
    profile: ProfileOption = None,
) -> None:
    """Write what training takes as LLaVA's JSON, as Parquet, or as a folder ready for the Hub."""
    settings = load_profile(profile)
    announce(settings, "export")
    release = parse_release(lang, settings.paths)
    folder = (out or export_dir(settings, form, release)).absolute()
    counts = export(settings, form, release, folder)
    note(f"{folder}: {', '.join(f'{name} {count:,}' for name, count in counts.items())}")


def push_command(
    repo_id: Annotated[str, typer.Option("--repo-id", help="ORG/NAME on the Hub.")],
    what: Annotated[What, typer.Option("--what", help="dataset or checkpoint.")] = What.DATASET,
    lang: ReleaseOption = ALL,
    scale: Annotated[str, typer.Option("--scale", help="Of a checkpoint.")] = "7b",
    public: Annotated[
        bool, typer.Option("--public", help="Make a new repository public; else it is private.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="List files and sizes, send nothing.")
    ] = False,
    to: Annotated[
        Path | None, typer.Option("--to", help="Copy into this folder, laid out as the Hub is.")
    ] = None,
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Although a card is stale or an audit has failed.")
    ] = False,
    profile: ProfileOption = None,
) -> None:
    """Publish an exported dataset or a checkpoint with its card on the Hugging Face Hub."""
    from data_cards.push import copied, plan, pushed

    settings = load_profile(profile)
    announce(settings, "push")
    chosen = plan(settings, what, lang, scale, repo_id, anyway)
    for warning in chosen.warnings:
        note(f"Although {warning}")
    if dry_run:
        for name, size in chosen.sizes:
            note(f"{size:>15,}  {name}")
        total = sum(size for _, size in chosen.sizes)
        note(f"{total:>15,}  bytes in {len(chosen.sizes)} files, for {chosen.place}")
        return
    note(f"Pushed: {copied(chosen, to) if to else pushed(chosen, private=not public)}")
